#include "engine/snapshot_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checksum.h"

namespace gyrfalcon {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr std::array<char, 8> kMagic = {'G', 'Y', 'R', 'S', 'N', 'A', 'P', '1'};
constexpr uint64_t kMarksAt = kPageBytes;
constexpr uint64_t kMarksBytes = SnapshotFile::kMarks * 16;
constexpr uint64_t kRecordsAt = kMarksAt + kMarksBytes;
// Room for addresses, not for bytes: with this much of it free, room for a record is found at once.
constexpr uint64_t kSpread = 4;
constexpr uint64_t kFileBytesMax = uint64_t{1} << 40;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

struct FileHeader {
  std::array<char, 8> magic = kMagic;
  uint64_t number = 0;
  uint64_t file_bytes = 0;
  uint64_t checksum = 0;  // of what is before it
};

struct RecordHeader {
  uint64_t number = 0;  // the file's
  uint64_t kind = 0;
  uint64_t key = 0;
  uint64_t sequence = 0;
  uint64_t length = 0;
  uint64_t payload_checksum = 0;
  uint64_t checksum = 0;  // of what is before it
};

template <class Header>
uint64_t ChecksumOf(const Header& header) {
  return Checksum({reinterpret_cast<const char*>(&header), offsetof(Header, checksum)});
}

uint64_t WholePages(uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

uint64_t RecordBytes(uint64_t length) {
  return WholePages(sizeof(RecordHeader) + length);
}

bool ReadAt(int fd, void* to, size_t size, uint64_t offset) {
  auto* at = static_cast<char*>(to);
  while (size != 0) {
    const ssize_t got = ::pread(fd, at, size, static_cast<off_t>(offset));
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      return false;
    }
    at += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return true;
}

std::unexpected<Error> NoFile(std::string_view what) {
  return Fail(Fault::kEnvironment, fmt::format("no memory file for the state of sandboxes: {}: {}",
                                               what, ErrnoText(errno)));
}

std::unexpected<Error> NotOurs(std::string_view why) {
  return Fail(Fault::kInput, fmt::format("not a file with the state of sandboxes: {}", why));
}

}  // namespace

SnapshotFile::SnapshotFile(UniqueFd fd, SnapshotFileOptions options)
    : fd_(std::move(fd)), options_(options) {}

SnapshotFile::~SnapshotFile() {
  if (marks_ != nullptr) ::munmap(marks_, kMarksBytes);
}

Result<std::unique_ptr<SnapshotFile>> SnapshotFile::Create(SnapshotFileOptions options) {
  UniqueFd fd(::memfd_create("gyrfalcon-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return NoFile("memfd_create");
  FileHeader header;
  header.file_bytes = kRecordsAt + kSpread * WholePages(options.bytes_max);
  if (::getrandom(&header.number, sizeof header.number, 0) != sizeof header.number) {
    return NoFile("getrandom");
  }
  header.checksum = ChecksumOf(header);
  if (::ftruncate(fd.get(), static_cast<off_t>(header.file_bytes)) != 0) return NoFile("ftruncate");
  if (::pwrite(fd.get(), &header, sizeof header, 0) != sizeof header) return NoFile("pwrite");
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return NoFile("F_ADD_SEALS");
  return Open(std::move(fd), options);
}

Result<std::unique_ptr<SnapshotFile>> SnapshotFile::Open(UniqueFd fd, SnapshotFileOptions options) {
  // One that can shrink would kill who has it mapped.
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return NotOurs("its size is not sealed");
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return NotOurs(ErrnoText(errno));
  FileHeader header;
  if (!ReadAt(fd.get(), &header, sizeof header, 0)) return NotOurs("it is too short");
  if (header.magic != kMagic) return NotOurs("another format, or another version's");
  if (header.checksum != ChecksumOf(header)) return NotOurs("its header is corrupt");
  const auto file_bytes = static_cast<uint64_t>(info.st_size);
  if (header.file_bytes != file_bytes || file_bytes < kRecordsAt || file_bytes > kFileBytesMax) {
    return NotOurs("its size is not what it says");
  }
  std::unique_ptr<SnapshotFile> file(new SnapshotFile(std::move(fd), options));
  file->number_ = header.number;
  file->end_ = file_bytes;
  if (auto mapped = file->MapMarks(); !mapped) return std::unexpected(mapped.error());
  file->Scan();
  return file;
}

// ---- records

// Whatever is no complete record is given back.
void SnapshotFile::Scan() {
  uint64_t at = kRecordsAt;
  while (at < end_) {
    const off_t data = ::lseek(fd_.get(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) return;  // only a hole is left
    at = std::max(at, static_cast<uint64_t>(data) / kPageBytes * kPageBytes);
    at += ScanRecord(at);
  }
}

uint64_t SnapshotFile::ScanRecord(uint64_t offset) {
  RecordHeader header;
  const bool is_record = ReadAt(fd_.get(), &header, sizeof header, offset) &&
                         header.number == number_ && header.checksum == ChecksumOf(header) &&
                         header.length <= end_ - offset &&
                         RecordBytes(header.length) <= end_ - offset;
  if (!is_record) {
    GiveBack({.offset = offset, .bytes = kPageBytes});
    return kPageBytes;
  }
  const Extent extent{
      .offset = offset, .bytes = RecordBytes(header.length), .sequence = header.sequence};
  sequence_ = std::max(sequence_, header.sequence);
  const Key key{static_cast<SnapshotKind>(header.kind), header.key};
  const auto known = records_.find(key);
  const bool newer = known == records_.end() || known->second.sequence < header.sequence;
  if (!newer) {
    GiveBack(extent);
    return extent.bytes;
  }
  if (header.length > options_.record_bytes_max || !ReadRecord(extent, key)) {
    ++refused_;
    GiveBack(extent);
    return extent.bytes;
  }
  if (known != records_.end()) Forget(known);
  Remember(key, extent);
  return extent.bytes;
}

void SnapshotFile::Remember(const Key& key, const Extent& extent) {
  records_.insert_or_assign(key, extent);
  used_.emplace(extent.offset, extent.bytes);
  bytes_ += extent.bytes;
}

void SnapshotFile::Forget(std::map<Key, Extent>::iterator record) {
  const Extent extent = record->second;
  records_.erase(record);
  used_.erase(extent.offset);
  bytes_ -= extent.bytes;
  GiveBack(extent);
}

void SnapshotFile::GiveBack(const Extent& extent) {
  ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(extent.offset), static_cast<off_t>(extent.bytes));
}

// From where the last one was found on, and round once; 0: there is none.
uint64_t SnapshotFile::FindRoom(uint64_t size) const {
  const auto search = [&](uint64_t from, uint64_t to) -> uint64_t {
    auto next = used_.lower_bound(from);
    uint64_t at = from;
    if (next != used_.begin()) {
      const auto before = std::prev(next);
      at = std::max(at, before->first + before->second);
    }
    for (; at < to; at = next->first + next->second, ++next) {
      const uint64_t free_until = next == used_.end() ? end_ : next->first;
      if (at + size <= free_until) return at;
      if (next == used_.end()) return 0;
    }
    return 0;
  };
  const uint64_t found = search(std::max(cursor_, kRecordsAt), end_);
  return found != 0 ? found : search(kRecordsAt, end_);
}

Result<void> SnapshotFile::Put(SnapshotKind kind, uint64_t key, std::string_view bytes) {
  if (bytes.size() > options_.record_bytes_max) {
    return Fail(Fault::kEnvironment, "the state of a sandbox is too large to be written");
  }
  RecordHeader header{.number = number_,
                      .kind = static_cast<uint64_t>(kind),
                      .key = key,
                      .length = bytes.size(),
                      .payload_checksum = Checksum(bytes)};
  const std::scoped_lock lock(mutex_);
  const auto before = records_.find({kind, key});
  const uint64_t given_back = before == records_.end() ? 0 : before->second.bytes;
  Extent extent{.bytes = RecordBytes(bytes.size()), .sequence = sequence_ + 1};
  if (bytes_ - given_back + extent.bytes <= options_.bytes_max) {
    extent.offset = FindRoom(extent.bytes);
  }
  if (extent.offset == 0) {
    return Fail(Fault::kEnvironment, "there is no room left for the state of sandboxes");
  }
  header.sequence = ++sequence_;
  header.checksum = ChecksumOf(header);
  const std::array<iovec, 2> parts = {
      {{.iov_base = &header, .iov_len = sizeof header},
       {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()}}};
  const ssize_t written =
      ::pwritev(fd_.get(), parts.data(), parts.size(), static_cast<off_t>(extent.offset));
  if (written != static_cast<ssize_t>(sizeof header + bytes.size())) {
    const std::string why = written < 0 ? ErrnoText(errno) : "cut short";
    GiveBack(extent);
    return Fail(Fault::kEnvironment, "the state of a sandbox could not be written: " + why);
  }
  cursor_ = extent.offset + extent.bytes;
  // Only now: until here the record before was the one to be found.
  if (before != records_.end()) Forget(before);
  Remember({kind, key}, extent);
  return {};
}

void SnapshotFile::Remove(SnapshotKind kind, uint64_t key) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = records_.find({kind, key}); found != records_.end()) Forget(found);
  if (kind == SnapshotKind::kSession) ForgetMark(key);
}

void SnapshotFile::ForgetMark(uint64_t connection) {
  const auto mark = mark_of_.find(connection);
  if (mark == mark_of_.end()) return;
  marks_[mark->second].key.store(0, std::memory_order_relaxed);
  free_marks_.push_back(mark->second);
  mark_of_.erase(mark);
}

void SnapshotFile::KeepOnly(const absl::flat_hash_set<uint64_t>& connections) {
  const std::scoped_lock lock(mutex_);
  for (auto record = records_.begin(); record != records_.end();) {
    const auto [kind, key] = record->first;
    const auto next = std::next(record);
    if (kind == SnapshotKind::kSession && !connections.contains(key)) Forget(record);
    record = next;
  }
  std::vector<uint64_t> marked;
  for (const auto& [connection, mark] : mark_of_) {
    if (!connections.contains(connection)) marked.push_back(connection);
  }
  for (const uint64_t connection : marked) ForgetMark(connection);
}

uint64_t SnapshotFile::last_connection() const {
  const std::scoped_lock lock(mutex_);
  uint64_t last = 0;
  for (const auto& [key, extent] : records_) {
    if (key.first == SnapshotKind::kSession) last = std::max(last, key.second);
  }
  for (const auto& [connection, mark] : mark_of_) last = std::max(last, connection);
  return last;
}

std::optional<std::string> SnapshotFile::ReadRecord(const Extent& extent, const Key& key) const {
  RecordHeader header;
  if (!ReadAt(fd_.get(), &header, sizeof header, extent.offset)) return std::nullopt;
  const bool is_it = header.number == number_ && header.checksum == ChecksumOf(header) &&
                     header.kind == static_cast<uint64_t>(key.first) && header.key == key.second &&
                     RecordBytes(header.length) == extent.bytes;
  if (!is_it) return std::nullopt;
  std::string bytes(header.length, '\0');
  if (!ReadAt(fd_.get(), bytes.data(), bytes.size(), extent.offset + sizeof header)) {
    return std::nullopt;
  }
  if (Checksum(bytes) != header.payload_checksum) return std::nullopt;
  return bytes;
}

Result<std::string> SnapshotFile::Get(SnapshotKind kind, uint64_t key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = records_.find({kind, key});
  if (found == records_.end()) return Fail(Fault::kInput, "there is no such record");
  auto bytes = ReadRecord(found->second, found->first);
  if (!bytes) return Fail(Fault::kInput, "the record has been changed by somebody else");
  return std::move(*bytes);
}

std::vector<uint64_t> SnapshotFile::Keys(SnapshotKind kind) const {
  const std::scoped_lock lock(mutex_);
  std::vector<uint64_t> keys;
  for (const auto& [key, extent] : records_) {
    if (key.first == kind) keys.push_back(key.second);
  }
  return keys;
}

size_t SnapshotFile::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

// ---- marks

Result<void> SnapshotFile::MapMarks() {
  void* mapped = ::mmap(nullptr, kMarksBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(),
                        static_cast<off_t>(kMarksAt));
  if (mapped == MAP_FAILED) return NoFile("mmap");
  marks_ = static_cast<Mark*>(mapped);
  // Read, not looked at through the map: pages that nobody has used stay holes.
  std::vector<uint64_t> words(kMarksBytes / sizeof(uint64_t));
  if (!ReadAt(fd_.get(), words.data(), kMarksBytes, kMarksAt)) return NotOurs("it is too short");
  for (size_t i = kMarks; i-- > 0;) {
    const uint64_t key = words[i * 2];
    if (key == 0 || !mark_of_.emplace(key - 1, i).second) free_marks_.push_back(i);
  }
  return {};
}

std::atomic<uint64_t>* SnapshotFile::MarkOf(uint64_t connection) {
  const std::scoped_lock lock(mutex_);
  const auto known = mark_of_.find(connection);
  if (known != mark_of_.end()) return &marks_[known->second].frames;
  if (free_marks_.empty()) return nullptr;
  const size_t at = free_marks_.back();
  // By a call that can fail where there is no memory, which a store through the map can't.
  const std::array<uint64_t, 2> mark = {connection + 1, 0};
  const auto offset = static_cast<off_t>(kMarksAt + at * sizeof(Mark));
  if (::pwrite(fd_.get(), mark.data(), sizeof mark, offset) != sizeof mark) return nullptr;
  free_marks_.pop_back();
  mark_of_.emplace(connection, at);
  return &marks_[at].frames;
}

uint64_t SnapshotFile::frames_read(uint64_t connection) const {
  const std::scoped_lock lock(mutex_);
  const auto known = mark_of_.find(connection);
  if (known == mark_of_.end()) return 0;
  return marks_[known->second].frames.load(std::memory_order_relaxed);
}

}  // namespace gyrfalcon
