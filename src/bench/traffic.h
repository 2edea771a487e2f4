// Captures as something to send again and again: each connection in the name of containers of its
// own, each message with the time of its sending.
//
// What of a message is changed keeps its length, so everything else about it, its size above all,
// is as the sandbox sent it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

class Traffic {
 public:
  // Reads the captures whole. A file that ends within a message is taken up to there, as by
  // `replay`; `warnings` says so. Fails as CaptureReader does, where nothing is in the captures,
  // and where a container's id is too short to become `connections` different ones.
  static Result<Traffic> Load(const std::vector<std::string>& paths, size_t connections);

  // Messages of all captures, one behind the other: one loop.
  size_t message_count() const noexcept { return messages_.size(); }
  // The first message of each capture.
  const std::vector<size_t>& beginnings() const& noexcept { return beginnings_; }
  size_t message_bytes_max() const noexcept { return message_bytes_max_; }
  const std::vector<std::string>& warnings() const& noexcept { return warnings_; }
  // As recorded.
  const std::vector<std::string>& container_ids() const& noexcept { return ids_; }

  // What they are called on a connection, of those counted from 0: of the same length, and no two
  // the same.
  std::vector<std::string> IdsFor(size_t connection) const;

  struct Rendered {
    std::span<const std::byte> header;
    std::span<const std::byte> payload;
  };
  // Message `index` as it is sent at `time_ns`, with the ids of IdsFor and without dropped
  // messages. Written to `out`, which has message_bytes_max() and which the result views into. Any
  // thread, with its own `out`.
  Rendered Render(size_t index, const std::vector<std::string>& ids, int64_t time_ns,
                  std::span<std::byte> out) const noexcept;

 private:
  struct Message {
    size_t offset;  // in bytes_
    uint32_t size;
    uint32_t header_size;  // the whole message where its framing makes no sense
    bool is_framed;        // has a header that can be read
    uint32_t time_offset;  // 0: it has no time that can be changed
    uint32_t spots_begin;  // in spots_
    uint32_t spots_end;
  };
  // Where a container's id stands.
  struct Spot {
    uint32_t offset;  // in the message
    uint32_t id;      // of ids_
  };

  Result<void> Read(const std::string& path);
  void Append(std::span<const std::byte> datagram);
  void NoteIds(uint16_t type, std::span<const std::byte> payload);
  void FindSpots();
  Result<void> CheckIds(size_t connections) const;

  std::vector<std::byte> bytes_;
  std::vector<Message> messages_;
  std::vector<Spot> spots_;
  std::vector<std::string> ids_;
  std::vector<size_t> beginnings_;
  std::vector<std::string> warnings_;
  size_t message_bytes_max_ = 0;
};

}  // namespace gyrfalcon
