#include "wire/capture_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gyrfalcon {

namespace {

constexpr size_t kSizeBytes = 8;
constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kWriteBytes = 64 * 1024;

struct Compression {
  std::string_view magic;
  std::string_view name;
  std::string_view tool;
};

constexpr std::array<Compression, 3> kCompressions = {{
    {"\x28\xb5\x2f\xfd", "zstd", "zstd -d"},
    {"\x1f\x8b", "gzip", "gunzip -k"},
    {"\xfd\x37zXZ", "xz", "xz -dk"},
}};

std::string_view AsText(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> AsBytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

std::string NotACapture(const std::string& name, std::string_view beginning) {
  for (const Compression& compression : kCompressions) {
    if (!beginning.starts_with(compression.magic)) continue;
    return name + " is compressed with " + std::string(compression.name) +
           "; decompress it first: " + std::string(compression.tool) + " " + name;
  }
  if (beginning.empty()) return name + " is empty, and so no capture";
  return name + " is not a capture: it does not begin with \"" + std::string(kCaptureMagic) + "\"";
}

}  // namespace

CaptureReader::CaptureReader(UniqueFd fd, std::string name)
    : fd_(std::move(fd)), name_(std::move(name)) {}

Result<CaptureReader> CaptureReader::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Fail(Fault::kEnvironment, "cannot open " + path + ": " + ErrnoText(errno));
  return FromFd(std::move(fd), path);
}

Result<CaptureReader> CaptureReader::FromFd(UniqueFd fd, std::string name) {
  CaptureReader reader(std::move(fd), std::move(name));
  if (auto ok = reader.ReadHeader(); !ok) return std::unexpected(ok.error());
  return reader;
}

Result<void> CaptureReader::ReadHeader() {
  const bool has_magic = Fill(kCaptureMagic.size());
  if (read_errno_ != 0) {
    return Fail(Fault::kEnvironment, "cannot read " + name_ + ": " + ErrnoText(read_errno_));
  }
  const auto beginning = std::span<const std::byte>(buffer_).subspan(begin_, available());
  if (!has_magic || !AsText(beginning).starts_with(kCaptureMagic)) {
    return Fail(Fault::kInput, NotACapture(name_, AsText(beginning)));
  }
  Take(kCaptureMagic.size());
  const std::string cut = name_ + " is cut off within its header, and holds no message";
  if (!Fill(kSizeBytes)) return Fail(Fault::kInput, cut);
  const uint64_t size = TakeSize();
  if (size > kCaptureHeaderBytesMax) {
    return Fail(Fault::kInput, name_ + " is not a capture: it declares a header of " +
                                   std::to_string(size) + " bytes");
  }
  if (!Fill(static_cast<size_t>(size))) return Fail(Fault::kInput, cut);
  header_json_ = AsText(Take(static_cast<size_t>(size)));
  return {};
}

// Makes at least `bytes` available; false when the file ends or fails before. The buffer grows to
// the largest message seen, so to kCaptureMessageBytesMax at most.
bool CaptureReader::Fill(size_t bytes) {
  if (available() >= bytes) return true;
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, available());
  buffer_offset_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(std::max({buffer_.size(), bytes, kReadBytes}));
  while (end_ < bytes && read_errno_ == 0) {
    const ssize_t got = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
    if (got == 0) return false;
    if (got > 0) {
      end_ += static_cast<size_t>(got);
    } else if (errno != EINTR) {
      read_errno_ = errno;
    }
  }
  return end_ >= bytes;
}

std::span<const std::byte> CaptureReader::Take(size_t bytes) noexcept {
  const auto taken = std::span<const std::byte>(buffer_).subspan(begin_, bytes);
  begin_ += bytes;
  return taken;
}

uint64_t CaptureReader::TakeSize() noexcept {
  const auto bytes = Take(kSizeBytes);
  uint64_t size = 0;
  for (size_t i = kSizeBytes; i-- > 0;) size = size << 8 | std::to_integer<uint64_t>(bytes[i]);
  return size;
}

std::unexpected<CaptureError> CaptureReader::Stop(CaptureFault fault, uint64_t offset,
                                                  std::string_view what) {
  error_ = CaptureError{
      .fault = fault,
      .offset = offset,
      .message = name_ + ": offset " + std::to_string(offset) + ": " + std::string(what)};
  return std::unexpected(*error_);
}

std::unexpected<CaptureError> CaptureReader::StopCut(uint64_t offset) {
  if (read_errno_ != 0) {
    return Stop(CaptureFault::kReadFailed, offset, "cannot read on: " + ErrnoText(read_errno_));
  }
  return Stop(CaptureFault::kTruncated, offset,
              "the file ends within the message that begins here; what came before it is whole");
}

std::expected<std::optional<std::span<const std::byte>>, CaptureError> CaptureReader::Next() {
  if (error_) return std::unexpected(*error_);
  const uint64_t begin = offset();
  if (!Fill(kSizeBytes)) {
    if (available() == 0 && read_errno_ == 0) return std::nullopt;
    return StopCut(begin);
  }
  const uint64_t size = TakeSize();
  if (size > kCaptureMessageBytesMax) {
    return Stop(CaptureFault::kAbsurdSize, begin,
                "declares a message of " + std::to_string(size) + " bytes, and " +
                    std::to_string(kCaptureMessageBytesMax) +
                    " is the most; the file is damaged from here on");
  }
  if (!Fill(static_cast<size_t>(size))) return StopCut(begin);
  return Take(static_cast<size_t>(size));
}

CaptureWriter::CaptureWriter(UniqueFd fd, std::string path, uint64_t max_bytes)
    : fd_(std::move(fd)), path_(std::move(path)), max_bytes_(max_bytes) {}

CaptureWriter::~CaptureWriter() {
  [[maybe_unused]] const auto ignored = Close();
}

Result<CaptureWriter> CaptureWriter::Create(std::string path, CaptureWriterOptions options) {
  const uint64_t header_bytes = kCaptureMagic.size() + kSizeBytes + options.header_json.size();
  if (options.header_json.size() > kCaptureHeaderBytesMax) {
    return Fail(Fault::kInput, "a capture's header may have " +
                                   std::to_string(kCaptureHeaderBytesMax) + " bytes at most");
  }
  if (options.max_bytes != 0 && options.max_bytes < header_bytes) {
    return Fail(Fault::kUsage, "a capture takes at least " + std::to_string(header_bytes) +
                                   " bytes; allow it more than " +
                                   std::to_string(options.max_bytes));
  }
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) {
    std::string message = "cannot create " + path + ": " + ErrnoText(errno);
    if (errno == EEXIST) message += "; choose another name, or remove that one";
    return Fail(Fault::kEnvironment, std::move(message));
  }
  CaptureWriter writer(std::move(fd), std::move(path), options.max_bytes);
  const auto magic = AsBytes(kCaptureMagic);
  writer.buffer_.assign(magic.begin(), magic.end());
  writer.size_bytes_ = magic.size();
  writer.PutBlock(AsBytes(options.header_json));
  // At once, so that a capture without messages, or with a disk full, is known as such.
  if (auto ok = writer.Flush(); !ok) return std::unexpected(ok.error());
  return writer;
}

void CaptureWriter::PutBlock(std::span<const std::byte> bytes) {
  for (size_t i = 0; i < kSizeBytes; ++i) {
    buffer_.push_back(static_cast<std::byte>(uint64_t{bytes.size()} >> (8 * i) & 0xff));
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  size_bytes_ += kSizeBytes + bytes.size();
}

Result<CaptureAppend> CaptureWriter::Append(std::span<const std::byte> message) {
  if (!fd_) return Fail(Fault::kUsage, path_ + " is closed already");
  if (message.size() > kCaptureMessageBytesMax) return CaptureAppend::kTooLarge;
  if (max_bytes_ != 0 && size_bytes_ + kSizeBytes + message.size() > max_bytes_) {
    return CaptureAppend::kFull;
  }
  // First, so that while the disk is full nothing piles up here.
  if (buffer_.size() >= kWriteBytes) {
    if (auto ok = Flush(); !ok) return std::unexpected(ok.error());
  }
  PutBlock(message);
  return CaptureAppend::kWritten;
}

Result<void> CaptureWriter::Flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(fd_.get(), buffer_.data() + done, buffer_.size() - done);
    if (written >= 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      const int error_number = errno;
      // The rest stays for another try: the disk may have room again.
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(done));
      return Fail(Fault::kEnvironment, "cannot write " + path_ + ": " + ErrnoText(error_number));
    }
  }
  buffer_.clear();
  return {};
}

Result<void> CaptureWriter::Close() {
  if (!fd_) return {};
  auto flushed = Flush();
  buffer_.clear();
  const int closed = ::close(fd_.release());
  if (!flushed) return flushed;
  if (closed != 0) {
    return Fail(Fault::kEnvironment, "cannot write " + path_ + ": " + ErrnoText(errno));
  }
  return {};
}

}  // namespace gyrfalcon
