#include <utility>

#include "points/context_memory.h"
#include "points/event.h"
#include "points/wire_reader.h"

namespace gyrfalcon {

const std::array<CounterRow, static_cast<size_t>(DecodeError::kCount)> kDecodeErrorRows = {{
    {"unknown_types", Severity::kDataLoss,
     "Messages of a type that this version does not know, skipped."},
    {"undecodable_malformed", Severity::kDataLoss,
     "Messages refused: a length or number runs beyond the message."},
    {"undecodable_wire_type", Severity::kDataLoss,
     "Messages refused: a field is not of the type that gVisor's schema gives it."},
    {"undecodable_too_long", Severity::kDataLoss,
     "Messages refused: a list has more elements than the limit."},
}};

namespace {

using Decoded = std::expected<void, DecodeError>;

// gVisor puts "[err: …]" where a path can't be told; as a path it would be matched by rules.
bool IsInBandError(std::string_view text) {
  return text.starts_with("[err: ");
}

// Walks a nested message against its spec, only to know that it can be read later.
Decoded Validate(std::string_view bytes, const MessageSpec& spec) {
  WireReader reader(bytes);
  while (reader.Next()) {
    const FieldSpec* field = spec.Find(reader.number());
    if (field == nullptr) {
      reader.Skip();
    } else if (field->kind <= WireKind::kBool) {
      reader.Number();
    } else if (field->nested != nullptr) {
      // Specs nest three deep, no recursion in them.
      reader.Check(Validate(reader.Bytes(), *field->nested));
    } else {
      reader.Bytes();
    }
  }
  return reader.result();
}

Decoded ReadCredentials(std::string_view bytes, Credentials& out) {
  WireReader reader(bytes);
  while (reader.Next()) {
    uint32_t* const targets[] = {&out.real_uid, &out.effective_uid, &out.saved_uid,
                                 &out.real_gid, &out.effective_gid, &out.saved_gid};
    const uint32_t number = reader.number();
    if (number > std::size(targets)) {
      reader.Skip();
    } else {
      *targets[number - 1] = static_cast<uint32_t>(reader.Number());
    }
  }
  return reader.result();
}

Decoded ReadContext(std::string_view bytes, Context& out) {
  WireReader reader(bytes);
  while (reader.Next()) {
    const uint32_t number = reader.number();
    if (number > static_cast<uint32_t>(ContextField::kIsExecSession)) {
      reader.Skip();
      continue;
    }
    out.present |= 1u << number;
    switch (static_cast<ContextField>(number)) {
      case ContextField::kTime:
        out.time_ns = static_cast<int64_t>(reader.Number());
        break;
      case ContextField::kThreadId:
        out.thread_id = static_cast<int32_t>(reader.Number());
        break;
      case ContextField::kThreadStartTime:
        out.thread_start_time_ns = static_cast<int64_t>(reader.Number());
        break;
      case ContextField::kThreadGroupId:
        out.thread_group_id = static_cast<int32_t>(reader.Number());
        break;
      case ContextField::kThreadGroupStartTime:
        out.thread_group_start_time_ns = static_cast<int64_t>(reader.Number());
        break;
      case ContextField::kContainerId:
        out.container_id = reader.Bytes();
        break;
      case ContextField::kCredentials:
        reader.Check(ReadCredentials(reader.Bytes(), out.credentials));
        break;
      case ContextField::kCwd:
        out.cwd = reader.Bytes();
        break;
      case ContextField::kProcessName:
        out.process_name = reader.Bytes();
        break;
      case ContextField::kParentThreadGroupId:
        out.parent_thread_group_id = static_cast<int32_t>(reader.Number());
        break;
      case ContextField::kIsExecSession:
        out.is_exec_session = reader.Number() != 0;
        break;
    }
  }
  return reader.result();
}

}  // namespace

// Fills an Event; a class only because it alone may touch the event's cells.
class Decoder {
 public:
  Decoder(std::string_view payload, const MessageSpec& spec, Event& event, ContextMemory* memory)
      : payload_(payload), spec_(spec), event_(event), memory_(memory) {
    event_.payload_ = std::as_bytes(std::span(payload));
    event_.has_exit_ = false;
    event_.result_ = 0;
    event_.error_number_ = 0;
    event_.context_.Clear();
    event_.present_.reset();
  }

  Decoded Run(MessageType type) {
    event_.type_ = type;
    WireReader reader(payload_);
    while (true) {
      const char* tag = reader.rest().data();
      const FieldSpec* field = reader.NextOf(spec_);
      if (field == nullptr) {
        if (!reader.Next()) break;
        field = spec_.Find(reader.number());
      }
      if (field == nullptr) {
        reader.Skip();
      } else if (field->kind <= WireKind::kBool) {
        Put(field->slot).number = AsNumber(reader.Number(), field->kind);
      } else {
        reader.Check(ReadView(*field, tag, reader.Bytes()));
      }
    }
    return reader.result();
  }

 private:
  Event::Cell& Put(Slot slot) {
    event_.present_.set(static_cast<size_t>(slot));
    return event_.cells_[static_cast<size_t>(slot)];
  }

  void PutText(Slot slot, std::string_view text) {
    Event::Cell& cell = Put(slot);
    cell.data = text.data();
    cell.size = text.size();
  }

  // `tag`: where the field begins in the payload.
  Decoded ReadView(const FieldSpec& field, const char* tag, std::string_view view) {
    switch (field.kind) {
      case WireKind::kContext:
        return TakeContext(view);
      case WireKind::kExit:
        return ReadExit(view);
      case WireKind::kTexts:
        return CountListItem(field, tag);
      case WireKind::kMessage:
        PutText(field.slot, view);
        return Validate(view, *field.nested);
      default:
        if (field.slot != Slot::kFdPath || !IsInBandError(view)) PutText(field.slot, view);
        return {};
    }
  }

  // gVisor puts the time first; nothing else changes from one message of a thread to the next.
  Decoded TakeContext(std::string_view bytes) {
    constexpr auto kTime = static_cast<uint32_t>(ContextField::kTime);
    WireReader reader(bytes);
    // One that comes in two parts is joined: only the first may be recalled.
    const bool is_first = (*event_.context_).present == 0;
    if (memory_ == nullptr || !is_first || !reader.Next() || reader.number() != kTime) {
      event_.context_.Own().id = 0;
      return ReadContext(bytes, event_.context_.Own());
    }
    const auto time_ns = static_cast<int64_t>(reader.Number());
    if (!reader.result()) return reader.result();
    const std::string_view rest = reader.rest();
    Context* kept = memory_->Recall(rest);
    if (kept == nullptr) {
      Context& own = event_.context_.Own();
      if (auto read = ReadContext(rest, own); !read) return read;
      if (own.has(ContextField::kTime)) return {};  // a second one counts
      own.time_ns = time_ns;
      own.present |= 1u << kTime;
      kept = memory_->Keep(rest, own);
      if (kept == nullptr) return {};
    }
    kept->time_ns = time_ns;
    event_.context_.Lend(*kept);
    return {};
  }

  Decoded ReadExit(std::string_view bytes) {
    event_.has_exit_ = true;
    WireReader reader(bytes);
    while (reader.Next()) {
      if (reader.number() > 2) {
        reader.Skip();
      } else {
        int64_t& target = reader.number() == 1 ? event_.result_ : event_.error_number_;
        target = static_cast<int64_t>(reader.Number());
      }
    }
    return reader.result();
  }

  Decoded CountListItem(const FieldSpec& field, const char* tag) {
    if (!event_.has(field.slot)) {
      Event::Cell& cell = Put(field.slot);
      cell.data = tag;
      cell.size = 0;
      cell.field_number = field.number;
      cell.rest_size = static_cast<uint32_t>(payload_.data() + payload_.size() - tag);
    }
    Event::Cell& cell = event_.cells_[static_cast<size_t>(field.slot)];
    if (++cell.size > kListItemsMax) return std::unexpected(DecodeError::kTooLong);
    return {};
  }

  std::string_view payload_;
  const MessageSpec& spec_;
  Event& event_;
  ContextMemory* const memory_;
};

std::expected<void, DecodeError> Decode(uint16_t type, std::span<const std::byte> payload,
                                        Event& event, ContextMemory* memory) noexcept {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return std::unexpected(DecodeError::kUnknownType);
  const std::string_view bytes(reinterpret_cast<const char*>(payload.data()), payload.size());
  return Decoder(bytes, *spec, event, memory).Run(static_cast<MessageType>(type));
}

TextList Event::list(Slot slot) const {
  if (!has(slot)) return {};
  const Cell& cell = at(slot);
  return {{cell.data, cell.rest_size}, cell.field_number, cell.size};
}

Event Event::CopyOfRaw() const {
  Event copy = *this;
  copy.payload_ = {};
  Context& context = copy.context_.Own();
  context.container_id = context.cwd = context.process_name = {};
  return copy;
}

std::string_view TextList::front() const {
  std::string_view rest = rest_;
  return count_ == 0 ? std::string_view{} : TakeNext(rest);
}

std::string_view TextList::TakeNext(std::string_view& rest) const {
  WireReader reader(rest);
  while (reader.Next()) {
    if (reader.number() == field_number_) {
      const std::string_view item = reader.Bytes();
      rest = reader.rest();
      return item;
    }
    reader.Skip();
  }
  return {};
}

namespace {

std::optional<SocketEnd> DecodeSocketEnd(std::string_view bytes) noexcept {
  std::optional<SocketEnd> end;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.number() == 2) {
      const auto address = IpAddress::FromBytes(std::as_bytes(std::span(reader.Bytes())));
      if (!address) continue;
      if (!end) end.emplace();
      end->address = *address;
    } else if (reader.number() == 3) {
      const auto port = static_cast<uint32_t>(reader.Number());
      if (!end) end.emplace();
      // gVisor sends it in network byte order.
      end->port = static_cast<uint16_t>((port & 0xff) << 8 | (port >> 8 & 0xff));
    } else {
      reader.Skip();
    }
  }
  return end;
}

void ReadSocketInfo(std::string_view bytes, FdInfo& info) noexcept {
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        info.socket_family = static_cast<uint32_t>(reader.Number());
        break;
      case 2:
        info.local = DecodeSocketEnd(reader.Bytes());
        break;
      case 3:
        info.remote = DecodeSocketEnd(reader.Bytes());
        break;
      default:
        reader.Skip();
    }
  }
}

// The numbers that are fields 1 and 2 of a message.
std::pair<uint64_t, uint64_t> ReadTwoNumbers(std::string_view bytes) noexcept {
  std::pair<uint64_t, uint64_t> numbers;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.number() > 2) {
      reader.Skip();
    } else {
      (reader.number() == 1 ? numbers.first : numbers.second) = reader.Number();
    }
  }
  return numbers;
}

}  // namespace

FdInfo DecodeFdInfo(std::string_view bytes) noexcept {
  FdInfo info;
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        info.mode = static_cast<uint32_t>(reader.Number());
        break;
      case 2:
        info.inode = reader.Number();
        break;
      case 3:
        if (const std::string_view path = reader.Bytes(); !IsInBandError(path)) info.path = path;
        break;
      case 4:
        ReadSocketInfo(reader.Bytes(), info);
        break;
      default:
        reader.Skip();
    }
  }
  return info;
}

Context DecodePipeProcInfo(std::string_view bytes) noexcept {
  Context context;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.number() == 1) {
      reader.Check(ReadContext(reader.Bytes(), context));
    } else {
      reader.Skip();
    }
  }
  return context;
}

int64_t DecodeTimespecNs(std::string_view bytes) noexcept {
  const auto [seconds, nanoseconds] = ReadTwoNumbers(bytes);
  // Unsigned: a forged value wraps instead of being undefined.
  return static_cast<int64_t>(seconds * 1'000'000'000u + nanoseconds);
}

Rlimit DecodeRlimit(std::string_view bytes) noexcept {
  const auto [current, maximum] = ReadTwoNumbers(bytes);
  return {.current = current, .maximum = maximum};
}

}  // namespace gyrfalcon
