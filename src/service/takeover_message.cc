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

class Writer {
 public:
  template <std::unsigned_integral Number>
  void Put(Number number) {
    for (size_t i = 0; i < sizeof number; ++i) out_ += static_cast<char>(number >> (8 * i) & 0xff);
  }
  void Put(bool flag) { out_ += static_cast<char>(flag); }
  void Put(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Once something is missing, all that follows is 0 or "", and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral Number>
  void Get(Number& number) {
    number = 0;
    const std::string_view bytes = Bytes(sizeof number);
    for (size_t i = 0; i < bytes.size(); ++i) {
      number = static_cast<Number>(
          number | static_cast<Number>(uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i)));
    }
  }
  void Get(bool& flag) {
    const std::string_view byte = Bytes(1);
    flag = byte == std::string_view("\1", 1);
    ok_ = ok_ && (flag || byte == std::string_view("\0", 1));
  }
  void Get(std::string& text, size_t bytes_max) {
    uint32_t size = 0;
    Get(size);
    if (size > bytes_max) ok_ = false;
    text = Bytes(size);
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

// One pair for each message: what is put, in the order in which it is read.
void Put(Writer& out, const Peer& peer) {
  out.Put(static_cast<uint32_t>(peer.pid));
  out.Put(static_cast<uint32_t>(peer.uid));
  out.Put(static_cast<uint32_t>(peer.gid));
  out.Put(peer.command_line);
  out.Put(peer.runsc);
}
void Get(Reader& in, Peer& peer) {
  uint32_t pid = 0;
  in.Get(pid);
  peer.pid = static_cast<pid_t>(pid);
  in.Get(peer.uid);
  in.Get(peer.gid);
  in.Get(peer.command_line, kCommandLineBytesMax);
  in.Get(peer.runsc, kPathBytesMax);
}

void Put(Writer& out, const TakeoverAsk& ask) {
  out.Put(ask.state_version);
}
void Get(Reader& in, TakeoverAsk& ask) {
  in.Get(ask.state_version);
}

void Put(Writer& out, const TakeoverBegin& begin) {
  out.Put(begin.connections);
  out.Put(begin.silent);
  out.Put(begin.next_connection);
  out.Put(begin.device);
  out.Put(begin.inode);
  out.Put(begin.stopped_ns);
  out.Put(begin.owns_file);
  out.Put(begin.has_lock);
  out.Put(begin.has_state);
}
void Get(Reader& in, TakeoverBegin& begin) {
  in.Get(begin.connections);
  in.Get(begin.silent);
  in.Get(begin.next_connection);
  in.Get(begin.device);
  in.Get(begin.inode);
  in.Get(begin.stopped_ns);
  in.Get(begin.owns_file);
  in.Get(begin.has_lock);
  in.Get(begin.has_state);
}

void Put(Writer& out, const TakeoverConnections& connections) {
  out.Put(static_cast<uint32_t>(connections.items.size()));
  for (const auto& item : connections.items) {
    out.Put(item.id);
    Put(out, item.peer);
  }
}
void Get(Reader& in, TakeoverConnections& connections) {
  uint32_t count = 0;
  in.Get(count);
  for (uint32_t i = 0; in.ok() && i < count; ++i) {
    auto& item = connections.items.emplace_back();
    in.Get(item.id);
    Get(in, item.peer);
  }
}

void Put(Writer& out, const TakeoverSilent& silent) {
  out.Put(silent.count);
}
void Get(Reader& in, TakeoverSilent& silent) {
  in.Get(silent.count);
}

void Put(Writer& out, const TakeoverRefusal& refusal) {
  out.Put(std::string_view(refusal.why).substr(0, kWhyBytesMax));
}
void Get(Reader& in, TakeoverRefusal& refusal) {
  in.Get(refusal.why, kWhyBytesMax);
}

template <class Word>
concept IsWord = std::is_empty_v<Word>;
template <IsWord Word>
void Put(Writer&, const Word&) {}
template <IsWord Word>
void Get(Reader&, Word&) {}

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
  Writer body;
  std::visit([&body](const auto& which) { Put(body, which); }, message);
  const std::string bytes = body.Take();
  Writer out;
  out.Put(kMagic);
  out.Put(kTakeoverVersion);
  out.Put(static_cast<uint16_t>(message.index() + 1));
  out.Put(static_cast<uint32_t>(bytes.size()));
  out.Put(Checksum(bytes));
  return out.Take() + bytes;
}

Result<TakeoverMessage> DecodeTakeover(std::string_view bytes, size_t descriptors) {
  Reader header(bytes.substr(0, kHeaderBytes));
  uint32_t magic = 0;
  uint16_t version = 0;
  uint16_t type = 0;
  uint32_t size = 0;
  uint32_t checksum = 0;
  header.Get(magic);
  header.Get(version);
  header.Get(type);
  header.Get(size);
  header.Get(checksum);
  if (!header.ok() || magic != kMagic) return Malformed("no message of a takeover");
  if (version != kTakeoverVersion) {
    return Fail(Fault::kEnvironment, "the other process speaks version " + std::to_string(version) +
                                         " of the takeover, this one " +
                                         std::to_string(kTakeoverVersion) +
                                         "; stop that one, and start this one without --takeover");
  }
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (bytes.size() > kTakeoverMessageBytesMax || size != body.size())
    return Malformed("its length");
  if (checksum != Checksum(body)) return Malformed("its checksum");
  auto message = ByType(type);
  if (!message) return Malformed("message type " + std::to_string(type));
  Reader reader(body);
  std::visit([&reader](auto& which) { Get(reader, which); }, *message);
  if (!reader.at_end()) return Malformed("the fields of message type " + std::to_string(type));
  if (descriptors > kTakeoverFdsMax || Descriptors(*message) != descriptors) {
    return Malformed(std::to_string(descriptors) + " descriptors with message type " +
                     std::to_string(type));
  }
  return std::move(*message);
}

std::string EncodePeer(const Peer& peer) {
  Writer out;
  Put(out, peer);
  return out.Take();
}

Result<Peer> DecodePeer(std::string_view bytes) {
  Reader reader(bytes);
  Peer peer;
  Get(reader, peer);
  if (!reader.at_end()) return Malformed("who a connection is");
  return peer;
}

}  // namespace gyrfalcon
