// Our reader against libprotobuf, which is given the same messages as descriptors that are made
// here from our own tables. The first byte is the message type, the rest its payload.
//
// What our reader takes, libprotobuf takes, and both read the same. What libprotobuf takes, our
// reader takes, but for what it refuses on purpose: fields of a known number and another wire type,
// groups, field numbers that are reserved.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include "points/event.h"
#include "points/wire_reader.h"

namespace {

using namespace gyrfalcon;
namespace pb = google::protobuf;

void Require(bool holds, const char* what, const FieldSpec* field = nullptr) {
  if (holds) return;
  std::fprintf(stderr, "differs: %s%s%.*s\n", what, field == nullptr ? "" : ", field ",
               field == nullptr ? 0 : static_cast<int>(field->name.size()),
               field == nullptr ? "" : field->name.data());
  std::abort();
}

pb::FieldDescriptorProto::Type TypeOf(WireKind kind) {
  switch (kind) {
    case WireKind::kInt32:
      return pb::FieldDescriptorProto::TYPE_INT32;
    case WireKind::kInt64:
      return pb::FieldDescriptorProto::TYPE_INT64;
    case WireKind::kUint32:
      return pb::FieldDescriptorProto::TYPE_UINT32;
    case WireKind::kUint64:
      return pb::FieldDescriptorProto::TYPE_UINT64;
    case WireKind::kBool:
      return pb::FieldDescriptorProto::TYPE_BOOL;
    case WireKind::kText:  // bytes: neither of the two is to mind what is no UTF-8
    case WireKind::kBytes:
    case WireKind::kTexts:
      return pb::FieldDescriptorProto::TYPE_BYTES;
    case WireKind::kMessage:
    case WireKind::kContext:
    case WireKind::kExit:
      return pb::FieldDescriptorProto::TYPE_MESSAGE;
  }
  std::abort();
}

// The messages of the table and all that are nested in them, as libprotobuf knows messages.
class Schema {
 public:
  Schema() {
    file_.set_name("points.proto");
    file_.set_syntax("proto2");  // for `has`; on the wire it is the same
    for (uint16_t type = 1; type < kMessageTypeCount; ++type) Add(*FindMessage(type));
    if (pool_.BuildFile(file_) == nullptr) std::abort();
    for (const auto& [spec, name] : names_) {
      prototypes_[spec] = factory_.GetPrototype(pool_.FindMessageTypeByName(name));
    }
  }
  std::unique_ptr<pb::Message> New(const MessageSpec& spec) const {
    return std::unique_ptr<pb::Message>(prototypes_.at(&spec)->New());
  }

 private:
  std::string Add(const MessageSpec& spec) {
    if (const auto found = names_.find(&spec); found != names_.end()) return found->second;
    const std::string name = "M" + std::to_string(names_.size());
    names_[&spec] = name;
    pb::DescriptorProto message;
    message.set_name(name);
    for (const FieldSpec& row : spec.fields) {
      auto* field = message.add_field();
      field->set_name("f" + std::to_string(row.number));
      field->set_number(row.number);
      field->set_label(row.kind == WireKind::kTexts ? pb::FieldDescriptorProto::LABEL_REPEATED
                                                    : pb::FieldDescriptorProto::LABEL_OPTIONAL);
      field->set_type(TypeOf(row.kind));
      if (row.nested != nullptr) field->set_type_name("." + Add(*row.nested));
    }
    *file_.add_message_type() = message;
    return name;
  }

  pb::FileDescriptorProto file_;
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
  std::map<const MessageSpec*, std::string> names_;
  std::map<const MessageSpec*, const pb::Message*> prototypes_;
};

const Schema& TheSchema() {
  static const Schema schema;
  return schema;
}

const pb::FieldDescriptor* FieldOf(const pb::Message& message, uint32_t number) {
  return message.GetDescriptor()->FindFieldByNumber(static_cast<int>(number));
}

bool Has(const pb::Message& message, uint32_t number) {
  return message.GetReflection()->HasField(message, FieldOf(message, number));
}

int64_t NumberOf(const pb::Message& message, uint32_t number) {
  const auto& reflection = *message.GetReflection();
  const auto* field = FieldOf(message, number);
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, field);
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<int64_t>(reflection.GetUInt64(message, field));
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field) ? 1 : 0;
    default:
      std::abort();
  }
}

std::string TextOf(const pb::Message& message, uint32_t number) {
  return message.GetReflection()->GetString(message, FieldOf(message, number));
}

const pb::Message& Nested(const pb::Message& message, uint32_t number) {
  return message.GetReflection()->GetMessage(message, FieldOf(message, number));
}

// Whether a message has, at any depth, what our reader refuses and libprotobuf does not know.
bool HasOnPurpose(const pb::Message& message) {
  constexpr int kReservedFirst = 19'000;
  constexpr int kReservedLast = 19'999;
  const auto& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const int number = unknown.field(i).number();
    if (unknown.field(i).type() == pb::UnknownField::TYPE_GROUP) return true;
    if (number >= kReservedFirst && number <= kReservedLast) return true;
    if (message.GetDescriptor()->FindFieldByNumber(number) != nullptr) return true;
  }
  std::vector<const pb::FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  for (const auto* field : set) {
    const bool is_message = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
    if (is_message && HasOnPurpose(reflection.GetMessage(message, field))) return true;
  }
  return false;
}

// How many bytes the varint at the beginning has.
size_t VarintSize(std::string_view bytes) {
  size_t size = 0;
  while (size < bytes.size() && (static_cast<uint8_t>(bytes[size]) & 0x80) != 0) ++size;
  return size + 1;
}

// Whether a tag or a length is written longer than it has to be, beyond the five bytes that
// libprotobuf reads of one. Nobody writes so; ours takes it for what it means.
bool HasLongVarint(const MessageSpec& spec, std::string_view bytes) {
  constexpr size_t kLong = 6;
  WireReader reader(bytes);
  for (std::string_view before = bytes; reader.Next(); before = reader.rest()) {
    if (VarintSize(before) >= kLong) return true;
    const std::string_view rest = reader.rest();
    const FieldSpec* row = spec.Find(reader.number());
    const bool is_view = row != nullptr && row->kind > WireKind::kBool;
    const auto type = static_cast<uint8_t>(before[0]) & 7;
    constexpr int kBytes = 2;
    if (type == kBytes && VarintSize(rest) >= kLong) return true;
    if (!is_view || type != kBytes) {
      reader.Skip();
    } else if (const auto nested = reader.Bytes(); row->nested != nullptr) {
      if (HasLongVarint(*row->nested, nested)) return true;
    }
  }
  return false;
}

void CompareCredentials(const Credentials& ours, const pb::Message& theirs) {
  Require(ours.real_uid == NumberOf(theirs, 1), "real uid");
  Require(ours.effective_uid == NumberOf(theirs, 2), "effective uid");
  Require(ours.saved_uid == NumberOf(theirs, 3), "saved uid");
  Require(ours.real_gid == NumberOf(theirs, 4), "real gid");
  Require(ours.effective_gid == NumberOf(theirs, 5), "effective gid");
  Require(ours.saved_gid == NumberOf(theirs, 6), "saved gid");
}

void CompareContext(const Context& ours, const pb::Message& theirs) {
  for (uint32_t number = 1; number <= 11; ++number) {
    Require(ours.has(static_cast<ContextField>(number)) == Has(theirs, number), "context's fields");
  }
  Require(ours.time_ns == NumberOf(theirs, 1), "time");
  Require(ours.thread_id == NumberOf(theirs, 2), "thread id");
  Require(ours.thread_start_time_ns == NumberOf(theirs, 3), "thread's start");
  Require(ours.thread_group_id == NumberOf(theirs, 4), "thread group id");
  Require(ours.thread_group_start_time_ns == NumberOf(theirs, 5), "thread group's start");
  Require(ours.container_id == TextOf(theirs, 6), "container id");
  CompareCredentials(ours.credentials, Nested(theirs, 7));
  Require(ours.cwd == TextOf(theirs, 8), "cwd");
  Require(ours.process_name == TextOf(theirs, 9), "process name");
  Require(ours.parent_thread_group_id == NumberOf(theirs, 10), "parent");
  Require(ours.is_exec_session == (NumberOf(theirs, 11) != 0), "exec session");
}

void CompareList(const TextList& ours, const pb::Message& theirs, const FieldSpec& row) {
  const auto& reflection = *theirs.GetReflection();
  const auto* field = FieldOf(theirs, row.number);
  Require(ours.size() == static_cast<size_t>(reflection.FieldSize(theirs, field)), "size", &row);
  int i = 0;
  ours.ForEach([&](std::string_view text) {
    Require(text == reflection.GetRepeatedString(theirs, field, i++), "element", &row);
  });
}

// Ours keeps the last one's bytes, and libprotobuf joins them: alike where there is one, else the
// joined one does not change by the last, but for fields that nobody knows, which it has twice.
void CompareNested(std::string_view ours, const pb::Message& theirs, const FieldSpec& row) {
  const pb::Message& joined = Nested(theirs, row.number);
  auto last = TheSchema().New(*row.nested);
  Require(last->ParseFromArray(ours.data(), static_cast<int>(ours.size())), "nested", &row);
  if (last->SerializeAsString() == joined.SerializeAsString()) return;
  auto again = TheSchema().New(*row.nested);
  again->CopyFrom(joined);
  again->MergeFrom(*last);
  again->DiscardUnknownFields();
  auto known = TheSchema().New(*row.nested);
  known->CopyFrom(joined);
  known->DiscardUnknownFields();
  Require(again->SerializeAsString() == known->SerializeAsString(), "nested", &row);
}

void CompareField(const Event& ours, const pb::Message& theirs, const FieldSpec& row) {
  if (row.kind == WireKind::kContext) {
    if (Has(theirs, row.number)) CompareContext(ours.context(), Nested(theirs, row.number));
    return;
  }
  if (row.kind == WireKind::kExit) {
    Require(ours.is_exit() == Has(theirs, row.number), "exit");
    if (!ours.is_exit()) return;
    Require(ours.result() == NumberOf(Nested(theirs, row.number), 1), "result");
    Require(ours.error_number() == NumberOf(Nested(theirs, row.number), 2), "errno");
    return;
  }
  if (row.kind == WireKind::kTexts) {
    CompareList(ours.list(row.slot), theirs, row);
    return;
  }
  // gVisor's texts about paths that can't be told are none to us.
  const bool is_error =
      row.kind == WireKind::kText && TextOf(theirs, row.number).starts_with("[err: ");
  Require(ours.has(row.slot) == Has(theirs, row.number) || is_error, "presence", &row);
  if (is_error || !ours.has(row.slot)) return;
  if (row.kind == WireKind::kMessage) {
    CompareNested(ours.text(row.slot), theirs, row);
  } else if (row.kind == WireKind::kText || row.kind == WireKind::kBytes) {
    Require(ours.text(row.slot) == TextOf(theirs, row.number), "text", &row);
  } else {
    Require(ours.number(row.slot) == NumberOf(theirs, row.number), "number", &row);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || FindMessage(data[0]) == nullptr) return 0;
  const MessageSpec& spec = *FindMessage(data[0]);
  const auto payload = std::as_bytes(std::span(data + 1, size - 1));
  static Event event;
  const auto ours = Decode(data[0], payload, event);
  if (!ours && ours.error() == DecodeError::kTooLong) return 0;
  const auto theirs = TheSchema().New(spec);
  const bool taken = theirs->ParseFromArray(data + 1, static_cast<int>(size - 1));
  if (!ours) {
    Require(!taken || HasOnPurpose(*theirs), "libprotobuf takes it");
    return 0;
  }
  if (!taken) {
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    Require(HasLongVarint(spec, text), "libprotobuf refuses it");
    return 0;
  }
  for (const FieldSpec& row : spec.fields) CompareField(event, *theirs, row);
  return 0;
}
