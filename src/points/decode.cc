#include "points/event.h"
#include "points/wire_field.h"

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

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// gVisor puts "[err: …]" where a path can't be told; as a path it would be matched by rules.
bool IsInBandError(std::string_view text) {
  return text.starts_with("[err: ");
}

// Walks a nested message against its spec, only to know that it can be read later.
void Validate(std::string_view bytes, const MessageSpec& spec) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    const FieldSpec* field = spec.Find(reader.tag());
    if (field == nullptr) {
      reader.skip();
      continue;
    }
    ExpectWireType(reader, *field);
    if (field->nested != nullptr) {
      Validate(AsText(reader.get_view()),
               *field->nested);  // specs nest three deep, no recursion in them
    } else {
      reader.skip();
    }
  }
}

void ReadCredentials(std::string_view bytes, Credentials& out) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    uint32_t* const targets[] = {&out.real_uid, &out.effective_uid, &out.saved_uid,
                                 &out.real_gid, &out.effective_gid, &out.saved_gid};
    const uint32_t tag = reader.tag();
    if (tag < 1 || tag > std::size(targets)) {
      reader.skip();
      continue;
    }
    Expect(reader, pbf_wire_type::varint);
    *targets[tag - 1] = reader.get_uint32();
  }
}

void ReadContextNumber(pbf_reader& reader, ContextField field, Context& out) {
  Expect(reader, pbf_wire_type::varint);
  switch (field) {
    case ContextField::kTime:
      out.time_ns = reader.get_int64();
      return;
    case ContextField::kThreadId:
      out.thread_id = reader.get_int32();
      return;
    case ContextField::kThreadStartTime:
      out.thread_start_time_ns = reader.get_int64();
      return;
    case ContextField::kThreadGroupId:
      out.thread_group_id = reader.get_int32();
      return;
    case ContextField::kThreadGroupStartTime:
      out.thread_group_start_time_ns = reader.get_int64();
      return;
    case ContextField::kParentThreadGroupId:
      out.parent_thread_group_id = reader.get_int32();
      return;
    default:
      out.is_exec_session = ReadBool(reader);
      return;
  }
}

void ReadContext(std::string_view bytes, Context& out) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    const uint32_t tag = reader.tag();
    if (tag < 1 || tag > static_cast<uint32_t>(ContextField::kIsExecSession)) {
      reader.skip();
      continue;
    }
    const auto field = static_cast<ContextField>(tag);
    out.present |= 1u << tag;
    switch (field) {
      case ContextField::kContainerId:
      case ContextField::kCredentials:
      case ContextField::kCwd:
      case ContextField::kProcessName: {
        Expect(reader, pbf_wire_type::length_delimited);
        const std::string_view text = AsText(reader.get_view());
        if (field == ContextField::kContainerId) out.container_id = text;
        if (field == ContextField::kCredentials) ReadCredentials(text, out.credentials);
        if (field == ContextField::kCwd) out.cwd = text;
        if (field == ContextField::kProcessName) out.process_name = text;
        break;
      }
      default:
        ReadContextNumber(reader, field, out);
    }
  }
}

}  // namespace

// Fills an Event; a class only because it alone may touch the event's cells.
class Decoder {
 public:
  Decoder(std::string_view payload, const MessageSpec& spec, Event& event)
      : payload_(payload), spec_(spec), event_(event) {
    event_.payload_ = std::as_bytes(std::span(payload));
    event_.has_exit_ = false;
    event_.result_ = 0;
    event_.error_number_ = 0;
    event_.context_ = {};
    event_.present_.reset();
  }

  // Throws what protozero throws, WireTypeMismatch and ListTooLong; caught in Decode.
  void Run(MessageType type) {
    event_.type_ = type;
    pbf_reader reader(payload_.data(), payload_.size());
    for (const char* tag = reader.data().data(); reader.next(); tag = reader.data().data()) {
      const FieldSpec* field = spec_.Find(reader.tag());
      if (field == nullptr) {
        reader.skip();
        continue;
      }
      ExpectWireType(reader, *field);
      if (field->kind <= WireKind::kBool) {
        Put(field->slot).number = ReadNumber(reader, field->kind);
      } else {
        ReadView(*field, tag, AsText(reader.get_view()));
      }
    }
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
  void ReadView(const FieldSpec& field, const char* tag, std::string_view view) {
    switch (field.kind) {
      case WireKind::kContext:
        ReadContext(view, event_.context_);
        return;
      case WireKind::kExit:
        ReadExit(view);
        return;
      case WireKind::kTexts:
        CountListItem(field, tag);
        return;
      case WireKind::kMessage:
        Validate(view, *field.nested);
        PutText(field.slot, view);
        return;
      default:
        if (field.slot == Slot::kFdPath && IsInBandError(view)) return;
        PutText(field.slot, view);
    }
  }

  void ReadExit(std::string_view bytes) {
    event_.has_exit_ = true;
    pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) {
      if (reader.tag() > 2) {
        reader.skip();
        continue;
      }
      Expect(reader, pbf_wire_type::varint);
      (reader.tag() == 1 ? event_.result_ : event_.error_number_) = reader.get_int64();
    }
  }

  void CountListItem(const FieldSpec& field, const char* tag) {
    if (!event_.has(field.slot)) {
      Event::Cell& cell = Put(field.slot);
      cell.data = tag;
      cell.size = 0;
      cell.field_number = field.number;
      cell.rest_size = static_cast<uint32_t>(payload_.data() + payload_.size() - tag);
    }
    Event::Cell& cell = event_.cells_[static_cast<size_t>(field.slot)];
    if (++cell.size > kListItemsMax) throw ListTooLong{};
  }

  std::string_view payload_;
  const MessageSpec& spec_;
  Event& event_;
};

std::expected<void, DecodeError> Decode(uint16_t type, std::span<const std::byte> payload,
                                        Event& event) noexcept {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return std::unexpected(DecodeError::kUnknownType);
  const std::string_view bytes(reinterpret_cast<const char*>(payload.data()), payload.size());
  return CatchDecodeErrors(
      [&] { Decoder(bytes, *spec, event).Run(static_cast<MessageType>(type)); });
}

TextList Event::list(Slot slot) const {
  if (!has(slot)) return {};
  const Cell& cell = at(slot);
  return {{cell.data, cell.rest_size}, cell.field_number, cell.size};
}

Event Event::CopyOfRaw() const {
  Event copy = *this;
  copy.payload_ = {};
  copy.context_.container_id = copy.context_.cwd = copy.context_.process_name = {};
  return copy;
}

std::string_view TextList::front() const {
  std::string_view rest = rest_;
  return count_ == 0 ? std::string_view{} : TakeNext(rest);
}

std::string_view TextList::TakeNext(std::string_view& rest) const {
  pbf_reader reader(rest.data(), rest.size());
  while (reader.next()) {
    if (reader.tag() == field_number_) {
      const std::string_view item = AsText(reader.get_view());
      rest.remove_prefix(static_cast<size_t>(item.data() + item.size() - rest.data()));
      return item;
    }
    reader.skip();
  }
  return {};
}

namespace {

// Runs `visit(tag, reader)` over a nested message; stops at the first byte that makes no sense.
template <class Visit>
void Walk(std::string_view bytes, Visit visit) noexcept {
  try {
    pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) visit(reader.tag(), reader);
  } catch (...) {
    // Decode has validated it; anybody else gets what was read so far.
  }
}

std::optional<SocketEnd> DecodeSocketEnd(std::string_view bytes) noexcept {
  std::optional<SocketEnd> end;
  Walk(bytes, [&end](uint32_t tag, pbf_reader& reader) {
    if (tag == 2) {
      const std::string_view ip = AsText(reader.get_view());
      if (const auto address = IpAddress::FromBytes(std::as_bytes(std::span(ip)))) {
        if (!end) end.emplace();
        end->address = *address;
      }
    } else if (tag == 3) {
      const uint32_t port = reader.get_uint32();
      if (!end) end.emplace();
      // gVisor sends it in network byte order.
      end->port = static_cast<uint16_t>((port & 0xff) << 8 | (port >> 8 & 0xff));
    } else {
      reader.skip();
    }
  });
  return end;
}

}  // namespace

FdInfo DecodeFdInfo(std::string_view bytes) noexcept {
  FdInfo info;
  Walk(bytes, [&info](uint32_t tag, pbf_reader& reader) {
    switch (tag) {
      case 1:
        info.mode = reader.get_uint32();
        return;
      case 2:
        info.inode = reader.get_uint64();
        return;
      case 3: {
        const std::string_view path = AsText(reader.get_view());
        if (!IsInBandError(path)) info.path = path;
        return;
      }
      case 4:
        Walk(AsText(reader.get_view()), [&info](uint32_t socket_tag, pbf_reader& socket) {
          if (socket_tag == 1) {
            info.socket_family = socket.get_uint32();
          } else if (socket_tag == 2) {
            info.local = DecodeSocketEnd(AsText(socket.get_view()));
          } else if (socket_tag == 3) {
            info.remote = DecodeSocketEnd(AsText(socket.get_view()));
          } else {
            socket.skip();
          }
        });
        return;
      default:
        reader.skip();
    }
  });
  return info;
}

Context DecodePipeProcInfo(std::string_view bytes) noexcept {
  Context context;
  Walk(bytes, [&context](uint32_t tag, pbf_reader& reader) {
    if (tag == 1) {
      ReadContext(AsText(reader.get_view()), context);
    } else {
      reader.skip();
    }
  });
  return context;
}

int64_t DecodeTimespecNs(std::string_view bytes) noexcept {
  uint64_t seconds = 0;
  uint64_t nanoseconds = 0;
  Walk(bytes, [&](uint32_t tag, pbf_reader& reader) {
    if (tag == 1) {
      seconds = static_cast<uint64_t>(reader.get_int64());
    } else if (tag == 2) {
      nanoseconds = static_cast<uint64_t>(reader.get_int64());
    } else {
      reader.skip();
    }
  });
  // Unsigned: a forged value wraps instead of being undefined.
  return static_cast<int64_t>(seconds * 1'000'000'000u + nanoseconds);
}

Rlimit DecodeRlimit(std::string_view bytes) noexcept {
  Rlimit limit;
  Walk(bytes, [&limit](uint32_t tag, pbf_reader& reader) {
    if (tag == 1) {
      limit.current = reader.get_uint64();
    } else if (tag == 2) {
      limit.maximum = reader.get_uint64();
    } else {
      reader.skip();
    }
  });
  return limit;
}

}  // namespace gyrfalcon
