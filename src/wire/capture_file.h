// Recorded connections, in the format of gVisor's tools/tracereplay: the text "tracereplay file",
// then blocks of a little-endian u64 size and that many bytes. The first block is JSON
// ({"version":1}), each other one a message as it came, header included. One file is one
// connection.
//
// A file is distrusted like a sandbox: sizes are checked before memory is spent on them. Reading is
// by plain bounded reads, so that a file that shrinks meanwhile is an error and not a crash, and a
// pipe serves as well. Everything before a defect is delivered first. All classes: one thread at a
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

inline constexpr std::string_view kCaptureMagic = "tracereplay file";
inline constexpr std::string_view kCaptureHeaderJson = R"({"version":1})";
inline constexpr size_t kCaptureMessageBytesMax = 1024 * 1024;
inline constexpr size_t kCaptureHeaderBytesMax = 64 * 1024;

enum class CaptureFault : uint8_t {
  kTruncated,   // the file ends within a message: whoever wrote it was stopped
  kAbsurdSize,  // more than kCaptureMessageBytesMax: not a size at all
  kReadFailed,
};

struct CaptureError {
  CaptureFault fault;
  uint64_t offset;      // bytes from the beginning of the file to the message at fault
  std::string message;  // one sentence for a person, file and offset included
};

class CaptureReader {
 public:
  // Reads the header too. Fault::kEnvironment when the file can't be opened, kInput when it is no
  // capture; for a compressed one the error says how to decompress it.
  static Result<CaptureReader> Open(const std::string& path);
  // The same for an open file or pipe; `name` is for messages.
  static Result<CaptureReader> FromFd(UniqueFd fd, std::string name);

  // The next message; nullopt at the end; an error once and for all. The view dies at the next
  // call.
  std::expected<std::optional<std::span<const std::byte>>, CaptureError> Next();

  // The header's JSON, byte for byte.
  const std::string& header_json() const& noexcept { return header_json_; }
  const std::string& header_json() const&& = delete;

 private:
  CaptureReader(UniqueFd fd, std::string name);
  Result<void> ReadHeader();
  bool Fill(size_t bytes);
  size_t available() const noexcept { return end_ - begin_; }
  uint64_t offset() const noexcept { return buffer_offset_ + begin_; }
  std::span<const std::byte> Take(size_t bytes) noexcept;
  uint64_t TakeSize() noexcept;
  std::unexpected<CaptureError> Stop(CaptureFault fault, uint64_t offset, std::string_view what);
  std::unexpected<CaptureError> StopCut(uint64_t offset);

  UniqueFd fd_;
  std::string name_;
  std::string header_json_;
  std::vector<std::byte> buffer_;
  size_t begin_ = 0;  // what is read but not taken: buffer_[begin_, end_)
  size_t end_ = 0;
  uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file
  int read_errno_ = 0;
  std::optional<CaptureError> error_;
};

struct CaptureWriterOptions {
  std::string header_json{kCaptureHeaderJson};  // a copy of another capture takes that one's
  uint64_t max_bytes = 0;                       // of the whole file; 0 is no limit
};

enum class CaptureAppend : uint8_t {
  kWritten,
  kFull,      // it would pass max_bytes; nothing was written, and a smaller one may still fit
  kTooLarge,  // more than kCaptureMessageBytesMax: no reader would take it
};

class CaptureWriter {
 public:
  // Makes a new file of mode 0600; one that exists is never written to.
  static Result<CaptureWriter> Create(std::string path, CaptureWriterOptions options);

  CaptureWriter(CaptureWriter&&) noexcept = default;
  CaptureWriter& operator=(CaptureWriter&&) = delete;
  ~CaptureWriter();  // as Close, without its error

  // Buffered: the file has it after Flush or Close. After an error the file may end within a
  // message, which a reader survives.
  Result<CaptureAppend> Append(std::span<const std::byte> message);
  Result<void> Flush();
  Result<void> Close();

  uint64_t size_bytes() const noexcept { return size_bytes_; }  // what is buffered included

 private:
  CaptureWriter(UniqueFd fd, std::string path, uint64_t max_bytes);
  void PutBlock(std::span<const std::byte> bytes);

  UniqueFd fd_;
  std::string path_;
  uint64_t max_bytes_;
  uint64_t size_bytes_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace gyrfalcon
