// Recorded connections as a Source: files in the order given, as fast as the caller asks. Never
// kIdle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/capture_file.h"
#include "wire/counters.h"
#include "wire/record.h"

namespace gyrfalcon {

// Each file is one connection. A file that ends within a message is a warning, and the next file
// follows; one that can't be opened, is no capture or is damaged ends the source with error(),
// after everything before it was yielded.
class CaptureSource : public Source {
 public:
  // The files' ids count up from `first_connection`.
  explicit CaptureSource(std::vector<std::string> paths, ConnectionId first_connection = {1});

  SourceStatus Next(Record& record) override;

  // Why the source ended early; to be asked after kEnd. Dies with the source.
  const std::optional<Error>& error() const& noexcept { return error_; }
  const std::optional<Error>& error() const&& = delete;

  // What was not well and yet no reason to end, since the last call.
  std::vector<std::string> TakeWarnings();

  // The file that the connection being yielded comes from; empty before the first and after the
  // last.
  const std::string& current_path() const& noexcept { return current_path_; }
  const std::string& current_path() const&& = delete;

  const WireCounters& counters() const noexcept { return counters_; }

 private:
  bool OpenNext(Record& record);
  SourceStatus YieldMessage(Record& record);
  SourceStatus YieldClosed(Record& record);
  void KeepError(const CaptureError& error);

  std::vector<std::string> paths_;
  size_t next_path_ = 0;
  WireCounters counters_;
  uint64_t next_connection_;
  ConnectionId connection_;
  std::string current_path_;
  std::optional<CaptureReader> reader_;
  std::vector<std::string> warnings_;
  std::optional<Error> error_;
};

}  // namespace gyrfalcon
