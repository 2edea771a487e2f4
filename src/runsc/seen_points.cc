#include "runsc/seen_points.h"

#include "points/render.h"

namespace gyrfalcon {
namespace {

// Looks at the fields of a message itself, and of its context.
class SeenFields final : public FieldVisitor {
 public:
  SeenFields(MessageType type, SentPoint& point) : type_(type), point_(point) {}

  void OnNumber(const FieldSpec& field, int64_t /*value*/) override { Note(field); }
  void OnText(const FieldSpec& field, std::string_view /*text*/) override { Note(field); }
  void OnMessageBegin(const FieldSpec& field) override {
    Note(field);
    in_context_ |= depth_ == 0 && field.kind == WireKind::kContext;
    ++depth_;
  }
  void OnMessageEnd() override {
    --depth_;
    if (depth_ == 0) in_context_ = false;
  }
  void OnUnknown(uint32_t /*field_number*/) override {}

 private:
  void Note(const FieldSpec& field) {
    if (depth_ == 1 && in_context_) {
      const auto names = AllContextFields();  // in the order of their protobuf numbers
      if (field.number <= names.size()) Insert(names[field.number - 1u], point_.context);
      return;
    }
    if (depth_ != 0) return;
    const std::string_view optional = OptionalFieldOf(type_, field.name);
    if (!optional.empty()) Insert(optional, point_.optional);
  }

  static void Insert(std::string_view name, std::set<std::string, std::less<>>& names) {
    if (!names.contains(name)) names.emplace(name);
  }

  MessageType type_;
  SentPoint& point_;
  int depth_ = 0;
  bool in_context_ = false;
};

}  // namespace

void NoteSeen(const Event& event, Arch arch, SentPoints& seen) {
  SentPoint& point = seen[SentPointName(event.type(), event.sysno(), event.is_exit(), arch)];
  SeenFields fields(event.type(), point);
  const bool mostly_empty = event.type() == MessageType::kOpen ||
                            (event.type() == MessageType::kClose && event.is_exit());
  if (mostly_empty) point.optional.emplace("fd_path");
  // The message was decoded whole: no defect can end this early.
  (void)VisitFields(static_cast<uint16_t>(event.type()), event.payload(), fields);
}

}  // namespace gyrfalcon
