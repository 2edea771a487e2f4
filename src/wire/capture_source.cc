#include "wire/capture_source.h"

#include <utility>

namespace gyrfalcon {

CaptureSource::CaptureSource(std::vector<std::string> paths, ConnectionId first_connection)
    : paths_(std::move(paths)), next_connection_(first_connection.value) {}

std::vector<std::string> CaptureSource::TakeWarnings() {
  return std::exchange(warnings_, {});
}

SourceStatus CaptureSource::Next(Record& record) {
  record = Record{};
  if (reader_) return YieldMessage(record);
  return OpenNext(record) ? SourceStatus::kRecord : SourceStatus::kEnd;
}

bool CaptureSource::OpenNext(Record& record) {
  current_path_.clear();
  if (error_ || next_path_ == paths_.size()) return false;
  current_path_ = paths_[next_path_++];
  auto reader = CaptureReader::Open(current_path_);
  if (!reader) {
    error_ = std::move(reader.error());
    return false;
  }
  reader_ = std::move(*reader);
  connection_ = ConnectionId{next_connection_++};
  counters_.Add(WireCounter::kConnectionsAccepted);
  record.kind = RecordKind::kOpened;
  record.connection = connection_;
  return true;
}

SourceStatus CaptureSource::YieldMessage(Record& record) {
  const auto message = reader_->Next();
  if (!message) KeepError(message.error());
  if (!message || !*message) return YieldClosed(record);
  counters_.Add(WireCounter::kFrames);
  counters_.Add(WireCounter::kFrameBytes, (*message)->size());
  record.kind = RecordKind::kFrame;
  record.connection = connection_;
  record.frame = **message;
  return SourceStatus::kRecord;
}

SourceStatus CaptureSource::YieldClosed(Record& record) {
  reader_.reset();
  counters_.Add(WireCounter::kConnectionsClosed);
  record.kind = RecordKind::kClosed;
  record.connection = connection_;
  return SourceStatus::kRecord;
}

void CaptureSource::KeepError(const CaptureError& error) {
  switch (error.fault) {
    case CaptureFault::kTruncated:
      warnings_.push_back(error.message);
      return;
    case CaptureFault::kAbsurdSize:
      error_ = Error{.message = error.message, .fault = Fault::kInput};
      return;
    case CaptureFault::kReadFailed:
      error_ = Error{.message = error.message, .fault = Fault::kEnvironment};
      return;
  }
}

}  // namespace gyrfalcon
