#include "bench/traffic.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "points/context_time.h"
#include "points/event.h"
#include "wire/capture_file.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr size_t kNumberDigitsMax = 8;
// Shorter ones would be found in what is no id.
constexpr size_t kIdBytesMin = 4;
// The varint of any nanosecond from 1972 to 2262.
constexpr size_t kTimeBytes = 9;
constexpr size_t kDroppedCountOffset = 4;  // in the header, wire/message_header.h
constexpr size_t kDroppedCountBytes = 4;

void WriteTime(std::byte* to, int64_t time_ns) noexcept {
  auto rest = static_cast<uint64_t>(time_ns);
  for (size_t i = 0; i + 1 < kTimeBytes; ++i, rest >>= 7) {
    to[i] = static_cast<std::byte>(0x80 | (rest & 0x7f));
  }
  to[kTimeBytes - 1] = static_cast<std::byte>(rest & 0x7f);
}

size_t NumberDigits(std::string_view id) {
  return std::min(id.size(), kNumberDigitsMax);
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Traffic> Traffic::Load(const std::vector<std::string>& paths, size_t connections) {
  Traffic traffic;
  for (const std::string& path : paths) {
    const size_t before = traffic.messages_.size();
    if (const auto read = traffic.Read(path); !read) return std::unexpected(read.error());
    if (traffic.messages_.size() > before) traffic.beginnings_.push_back(before);
  }
  if (traffic.messages_.empty()) {
    return Fail(Fault::kInput, "the captures have no message: there is nothing to send");
  }
  if (const auto checked = traffic.CheckIds(connections); !checked) {
    return std::unexpected(checked.error());
  }
  traffic.FindSpots();
  return traffic;
}

Result<void> Traffic::Read(const std::string& path) {
  auto reader = CaptureReader::Open(path);
  if (!reader) return std::unexpected(reader.error());
  for (;;) {
    const auto next = reader->Next();
    if (next && !next->has_value()) return {};
    if (next) {
      Append(**next);
    } else if (next.error().fault == CaptureFault::kTruncated) {
      warnings_.push_back(next.error().message);
      return {};
    } else {
      const bool unreadable = next.error().fault == CaptureFault::kReadFailed;
      return Fail(unreadable ? Fault::kEnvironment : Fault::kInput, next.error().message);
    }
  }
}

void Traffic::Append(std::span<const std::byte> datagram) {
  if (datagram.empty()) return;  // a peer's end reads like one
  Message message{.offset = bytes_.size(),
                  .size = static_cast<uint32_t>(datagram.size()),
                  .header_size = static_cast<uint32_t>(datagram.size()),
                  .is_framed = false,
                  .time_offset = 0,
                  .spots_begin = 0,
                  .spots_end = 0};
  if (const auto view = ReadMessage(datagram)) {
    message.is_framed = true;
    message.header_size -= static_cast<uint32_t>(view->payload.size());
    const auto time = FindContextTime(view->type, view->payload);
    if (time && time->size == kTimeBytes) {
      message.time_offset = message.header_size + static_cast<uint32_t>(time->offset);
    }
    NoteIds(view->type, view->payload);
  }
  bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
  message_bytes_max_ = std::max(message_bytes_max_, datagram.size());
  messages_.push_back(message);
}

void Traffic::NoteIds(uint16_t type, std::span<const std::byte> payload) {
  Event event;
  if (!Decode(type, payload, event)) return;
  for (const std::string_view id : {event.context().container_id, event.text(Slot::kStartId)}) {
    if (!id.empty() && std::ranges::find(ids_, id) == ids_.end()) ids_.emplace_back(id);
  }
}

Result<void> Traffic::CheckIds(size_t connections) const {
  for (const std::string& id : ids_) {
    size_t names = 1;
    for (size_t i = 0; i < NumberDigits(id); ++i) names *= kDigits.size();
    if (id.size() >= kIdBytesMin && names >= connections * ids_.size()) continue;
    return Fail(Fault::kInput, "the container id `" + id + "` is too short to become " +
                                   std::to_string(connections) +
                                   " different ones of its length; record it with a longer one");
  }
  return {};
}

// The longest id first, so that none is taken for a part of another.
void Traffic::FindSpots() {
  std::ranges::sort(ids_, std::ranges::greater{}, &std::string::size);
  for (Message& message : messages_) {
    const std::string_view text = AsText(std::span(bytes_).subspan(message.offset, message.size));
    message.spots_begin = static_cast<uint32_t>(spots_.size());
    for (uint32_t id = 0; id < ids_.size(); ++id) {
      const size_t length = ids_[id].size();
      for (size_t at = text.find(ids_[id], message.header_size); at != std::string_view::npos;
           at = text.find(ids_[id], at + length)) {
        const bool is_within_other =
            std::any_of(spots_.begin() + message.spots_begin, spots_.end(), [&](const Spot& spot) {
              return at < spot.offset + ids_[spot.id].size() && spot.offset < at + length;
            });
        if (!is_within_other) spots_.push_back({static_cast<uint32_t>(at), id});
      }
    }
    message.spots_end = static_cast<uint32_t>(spots_.size());
  }
}

std::vector<std::string> Traffic::IdsFor(size_t connection) const {
  std::vector<std::string> out = ids_;
  for (size_t i = 0; i < out.size(); ++i) {
    size_t number = connection * out.size() + i;
    const size_t digits = NumberDigits(out[i]);
    for (size_t digit = 0; digit < digits; ++digit, number /= kDigits.size()) {
      out[i][out[i].size() - 1 - digit] = kDigits[number % kDigits.size()];
    }
  }
  return out;
}

Traffic::Rendered Traffic::Render(size_t index, const std::vector<std::string>& ids,
                                  int64_t time_ns, std::span<std::byte> out) const noexcept {
  const Message& message = messages_[index];
  std::memcpy(out.data(), bytes_.data() + message.offset, message.size);
  if (message.is_framed) {
    std::memset(out.data() + kDroppedCountOffset, 0, kDroppedCountBytes);
  }
  if (message.time_offset != 0) WriteTime(out.data() + message.time_offset, time_ns);
  for (uint32_t i = message.spots_begin; i < message.spots_end; ++i) {
    const std::string& id = ids[spots_[i].id];
    std::memcpy(out.data() + spots_[i].offset, id.data(), id.size());
  }
  const auto whole = out.first(message.size);
  return {whole.first(message.header_size), whole.subspan(message.header_size)};
}

}  // namespace gyrfalcon
