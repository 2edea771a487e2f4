#include "service/connection_map.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/takeover_message.h"

namespace gyrfalcon {
namespace {

constexpr uint64_t kMagic = 0x31504d4e4f434647;  // "GFCONMP1"
// A page of the file for what goes before all places, then so many bytes for each: the longest peer
// fits. What is not written takes no memory.
constexpr off_t kFirstPlace = 4096;
constexpr size_t kPlaceBytes = size_t{19} * 4096;

struct Header {
  uint64_t cookie = 0;
  uint64_t id = 0;
  uint32_t bytes = 0;  // of the peer, behind this
  uint32_t checksum = 0;
  uint32_t answered = 0;  // not part of the checksum: it is written later
  uint32_t unused = 0;
};
static_assert(sizeof(Header) == 32);

off_t OffsetOf(uint32_t place) {
  return kFirstPlace + static_cast<off_t>(place) * static_cast<off_t>(kPlaceBytes);
}

uint32_t ChecksumOf(const Header& header, std::string_view peer) {
  uint32_t sum = 2166136261u;
  const auto add = [&sum](const void* bytes, size_t size) {
    const auto* next = static_cast<const uint8_t*>(bytes);
    for (size_t i = 0; i < size; ++i) sum = (sum ^ next[i]) * 16777619u;
  };
  add(&header.cookie, sizeof header.cookie);
  add(&header.id, sizeof header.id);
  add(&header.bytes, sizeof header.bytes);
  add(peer.data(), peer.size());
  return sum;
}

bool WriteAt(int fd, const void* bytes, size_t size, off_t offset) {
  return ::pwrite(fd, bytes, size, offset) == static_cast<ssize_t>(size);
}

bool ReadAt(int fd, void* bytes, size_t size, off_t offset) {
  return ::pread(fd, bytes, size, offset) == static_cast<ssize_t>(size);
}

}  // namespace

Result<ConnectionMap> ConnectionMap::Create() {
  UniqueFd fd(::memfd_create("gyrfalcon-connections", MFD_CLOEXEC));
  if (!fd || !WriteAt(fd.get(), &kMagic, sizeof kMagic, 0)) {
    return Fail(Fault::kEnvironment,
                "cannot keep who connections are over a restart: " + ErrnoText(errno));
  }
  return ConnectionMap(std::move(fd));
}

Result<ConnectionMap> ConnectionMap::Open(UniqueFd fd) {
  uint64_t magic = 0;
  if (!ReadAt(fd.get(), &magic, sizeof magic, 0) || magic != kMagic) {
    return Fail(Fault::kEnvironment,
                "who the connections of the process before are was kept by another version, or is "
                "damaged");
  }
  return ConnectionMap(std::move(fd));
}

void ConnectionMap::Put(uint32_t place, const Entry& entry) {
  const std::string peer = EncodePeer(entry.peer);
  Header header{.cookie = entry.cookie,
                .id = entry.id.value,
                .bytes = static_cast<uint32_t>(peer.size()),
                .answered = entry.answered ? 1u : 0u};
  header.checksum = ChecksumOf(header, peer);
  const off_t at = OffsetOf(place);
  if (sizeof header + peer.size() > kPlaceBytes) return Clear(place);
  // In any order: only whole do they agree.
  if (!WriteAt(fd_.get(), peer.data(), peer.size(), at + static_cast<off_t>(sizeof header)) ||
      !WriteAt(fd_.get(), &header, sizeof header, at)) {
    Clear(place);
  }
}

void ConnectionMap::MarkAnswered(uint32_t place) {
  const uint32_t yes = 1;
  WriteAt(fd_.get(), &yes, sizeof yes,
          OffsetOf(place) + static_cast<off_t>(offsetof(Header, answered)));
}

void ConnectionMap::Clear(uint32_t place) {
  ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, OffsetOf(place),
              static_cast<off_t>(kPlaceBytes));
}

std::optional<ConnectionMap::Entry> ConnectionMap::Get(uint32_t place) const {
  Header header;
  const off_t at = OffsetOf(place);
  if (!ReadAt(fd_.get(), &header, sizeof header, at)) return std::nullopt;
  if (header.id == 0 || header.bytes > kPlaceBytes - sizeof header) return std::nullopt;
  std::string bytes(header.bytes, '\0');
  if (!ReadAt(fd_.get(), bytes.data(), bytes.size(), at + static_cast<off_t>(sizeof header)) ||
      ChecksumOf(header, bytes) != header.checksum) {
    return std::nullopt;
  }
  auto peer = DecodePeer(bytes);
  if (!peer) return std::nullopt;
  return Entry{.cookie = header.cookie,
               .id = ConnectionId{header.id},
               .peer = std::move(*peer),
               .answered = header.answered != 0};
}

uint64_t SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

}  // namespace gyrfalcon
