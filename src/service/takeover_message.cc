#include "service/takeover_message.h"

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "wire/peer.h"

namespace gyrfalcon {
namespace {

constexpr uint32_t kMagic = 0x4f545947;  // "GYTO"
constexpr size_t kHeaderBytes = 16;
constexpr size_t kPathBytesMax = 4096;
constexpr size_t kWhyBytesMax = 4096;

// FNV-1a: against a slip, not against an enemy.
uint32_t Checksum(std::string_view bytes) noexcept {
  uint32_t sum = 2166136261u;
  for (const char byte : bytes) sum = (sum ^ static_cast<uint8_t>(byte)) * 16777619u;
  return sum;
}

// What comes before the fields of a message.
struct Header {
  uint32_t magic = kMagic;
  uint16_t version = kTakeoverVersion;
  uint16_t type = 0;
  uint32_t size = 0;
  uint32_t checksum = 0;
};

class Writer {
 public:
  template <std::integral Number>
  void operator()(Number number) {
    const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
    for (size_t i = 0; i < sizeof bits; ++i) out_ += static_cast<char>(bits >> (8 * i) & 0xff);
  }
  void operator()(bool flag) { out_ += static_cast<char>(flag); }
  // No more than the reader takes.
  void operator()(std::string_view text, size_t bytes_max) {
    text = text.substr(0, bytes_max);
    (*this)(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  template <class Item>
  void List(const std::vector<Item>& items, auto&& visit) {
    (*this)(static_cast<uint32_t>(items.size()));
    for (const Item& item : items) visit(item);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Once something is missing, all that follows is 0 or "", and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral Number>
  void operator()(Number& number) {
    uint64_t bits = 0;
    const std::string_view bytes = Bytes(sizeof number);
    for (size_t i = 0; i < bytes.size(); ++i) {
      bits |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    }
    number = static_cast<Number>(bits);
  }
  void operator()(bool& flag) {
    const std::string_view byte = Bytes(1);
    flag = byte == std::string_view("\1", 1);
    ok_ = ok_ && (flag || byte == std::string_view("\0", 1));
  }
  void operator()(std::string& text, size_t bytes_max) {
    uint32_t size = 0;
    (*this)(size);
    if (size > bytes_max) ok_ = false;
    text = Bytes(size);
  }
  template <class Item>
  void List(std::vector<Item>& items, auto&& visit) {
    uint32_t count = 0;
    (*this)(count);
    for (uint32_t i = 0; ok_ && i < count; ++i) visit(items.emplace_back());
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view Bytes(size_t count) {
    if (!ok_ || rest_.size() < count) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  std::string_view rest_;
  bool ok_ = true;
};

// One list of fields for each message, which the writer and the reader go through: const where it
// is written.
template <class T, class Struct>
concept Is = std::same_as<std::remove_const_t<T>, Struct>;

template <class Archive, Is<Header> T>
void VisitFields(Archive& archive, T& header) {
  archive(header.magic);
  archive(header.version);
  archive(header.type);
  archive(header.size);
  archive(header.checksum);
}

template <class Archive, Is<Peer> T>
void VisitFields(Archive& archive, T& peer) {
  archive(peer.pid);
  archive(peer.uid);
  archive(peer.gid);
  archive(peer.command_line, kCommandLineBytesMax);
  archive(peer.runsc, kPathBytesMax);
}

template <class Archive, Is<TakeoverAsk> T>
void VisitFields(Archive& archive, T& ask) {
  archive(ask.state_version);
  archive(ask.instance);
  archive(ask.only_waits);
}

template <class Archive, Is<TakeoverBegin> T>
void VisitFields(Archive& archive, T& begin) {
  archive(begin.connections);
  archive(begin.silent);
  archive(begin.next_connection);
  archive(begin.device);
  archive(begin.inode);
  archive(begin.stopped_ns);
  archive(begin.owns_file);
  archive(begin.has_lock);
  archive(begin.has_state);
}

template <class Archive, Is<TakeoverConnections> T>
void VisitFields(Archive& archive, T& connections) {
  archive.List(connections.items, [&archive](auto& item) {
    archive(item.id);
    VisitFields(archive, item.peer);
  });
}

template <class Archive, Is<TakeoverSilent> T>
void VisitFields(Archive& archive, T& silent) {
  archive(silent.count);
}

template <class Archive, Is<TakeoverRefusal> T>
void VisitFields(Archive& archive, T& refusal) {
  archive(refusal.why, kWhyBytesMax);
}

template <class Archive, Is<TakeoverNewer> T>
void VisitFields(Archive& archive, T& newer) {
  archive(newer.instance);
}

// A word has none.
template <class Archive, class T>
  requires std::is_empty_v<T>
void VisitFields(Archive& /*archive*/, T& /*word*/) {}

template <class T>
std::string Encode(const T& fields) {
  Writer writer;
  VisitFields(writer, fields);
  return writer.Take();
}

size_t Descriptors(const TakeoverMessage& message) {
  if (const auto* begin = std::get_if<TakeoverBegin>(&message)) {
    return size_t{1} + (begin->has_lock ? 1 : 0) + (begin->has_state ? 1 : 0);
  }
  if (const auto* some = std::get_if<TakeoverConnections>(&message)) return some->items.size();
  if (const auto* silent = std::get_if<TakeoverSilent>(&message)) return silent->count;
  return 0;
}

template <size_t index = 0>
std::optional<TakeoverMessage> ByType(uint16_t type) {
  if constexpr (index == std::variant_size_v<TakeoverMessage>) {
    return std::nullopt;
  } else {
    if (type == index + 1) return TakeoverMessage(std::in_place_index<index>);
    return ByType<index + 1>(type);
  }
}

std::unexpected<Error> Malformed(std::string what) {
  return Fail(Fault::kEnvironment,
              "what the other process says makes no sense: " + std::move(what));
}

}  // namespace

std::string EncodeTakeover(const TakeoverMessage& message) {
  const std::string body = std::visit([](const auto& which) { return Encode(which); }, message);
  return Encode(Header{.type = static_cast<uint16_t>(message.index() + 1),
                       .size = static_cast<uint32_t>(body.size()),
                       .checksum = Checksum(body)}) +
         body;
}

Result<TakeoverMessage> DecodeTakeover(std::string_view bytes, size_t descriptors) {
  Reader beginning(bytes.substr(0, kHeaderBytes));
  Header header;
  VisitFields(beginning, header);
  if (!beginning.ok() || header.magic != kMagic) return Malformed("no message of a takeover");
  if (header.version != kTakeoverVersion) {
    return Fail(Fault::kEnvironment,
                "the other process speaks version " + std::to_string(header.version) +
                    " of the takeover, this one " + std::to_string(kTakeoverVersion) +
                    "; stop that one, and start this one without --takeover");
  }
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (bytes.size() > kTakeoverMessageBytesMax || header.size != body.size())
    return Malformed("its length");
  if (header.checksum != Checksum(body)) return Malformed("its checksum");
  auto message = ByType(header.type);
  if (!message) return Malformed("message type " + std::to_string(header.type));
  Reader reader(body);
  std::visit([&reader](auto& which) { VisitFields(reader, which); }, *message);
  if (!reader.at_end())
    return Malformed("the fields of message type " + std::to_string(header.type));
  if (descriptors > kTakeoverFdsMax || Descriptors(*message) != descriptors) {
    return Malformed(std::to_string(descriptors) + " descriptors with message type " +
                     std::to_string(header.type));
  }
  return std::move(*message);
}

std::string EncodePeer(const Peer& peer) {
  return Encode(peer);
}

Result<Peer> DecodePeer(std::string_view bytes) {
  Reader reader(bytes);
  Peer peer;
  VisitFields(reader, peer);
  if (!reader.at_end()) return Malformed("who a connection is");
  return peer;
}

}  // namespace gyrfalcon
