#include "alerts/alert.h"

namespace gyrfalcon {
namespace {

AlertField MakeField(std::string name, const Value& value, PrintFormat print) {
  AlertField field{std::move(name), {}};
  switch (value.kind()) {
    case ValueKind::kMissing:
      break;
    case ValueKind::kBool:
      field.value = value.boolean();
      break;
    case ValueKind::kInt:
      field.value = value.integer();
      break;
    case ValueKind::kUint:
      field.value = value.unsigned_integer();
      break;
    case ValueKind::kDouble:
      field.value = value.real();
      break;
    default: {
      std::string text;
      AppendPrinted(value, print, text);
      field.value = std::move(text);
    }
  }
  return field;
}

AlertField MakeExtraField(const Rule::ExtraField& extra, const Happening& happening,
                          Scratch& scratch) {
  if (extra.raw && extra.format.fields().size() == 1) {
    const OutputFormat::NamedField& field = extra.format.fields().front();
    return MakeField(extra.key, OutputFormat::ValueOf(field, happening, scratch), field.print);
  }
  std::string text;
  extra.format.Render(happening, scratch, text);
  return {extra.key, std::move(text)};
}

// The rule's output shows the true path: the reader must also see the one that was passed.
void AppendPaths(const Happening& happening, Alert& alert) {
  const std::string claimed(happening.file->claimed);
  const std::string truth(happening.file->name);
  alert.message += " | gyrfalcon_path_claimed=" + claimed + " gyrfalcon_path_true=" + truth;
  alert.fields.push_back({"gyrfalcon.path.claimed", claimed});
  alert.fields.push_back({"gyrfalcon.path.true", truth});
}

}  // namespace

size_t SizeBytes(const Alert& alert) {
  size_t size = sizeof(Alert) + alert.rule.size() + alert.source.size() + alert.message.size() +
                alert.sandbox.size();
  for (const std::string& tag : alert.tags) size += sizeof(tag) + tag.size();
  for (const AlertField& field : alert.fields) {
    size += sizeof(field) + field.name.size();
    if (const auto* text = std::get_if<std::string>(&field.value)) size += text->size();
  }
  return size;
}

Alert MakeAlert(const Rule& rule, const Happening& happening, Scratch& scratch) {
  Alert alert{.rule = rule.name,
              .priority = rule.priority,
              .source = rule.source,
              .tags = {rule.tags.begin(), rule.tags.end()},
              .time_ns = happening.time_ns,
              .message = {},
              .fields = {}};
  rule.format.Render(happening, scratch, alert.message);
  alert.fields.push_back({"evt.time", happening.time_ns});
  for (const OutputFormat::NamedField& field : rule.format.fields()) {
    if (field.name == "evt.time") continue;
    alert.fields.push_back(
        MakeField(field.name, OutputFormat::ValueOf(field, happening, scratch), field.print));
  }
  for (const Rule::ExtraField& extra : rule.extra_fields) {
    alert.fields.push_back(MakeExtraField(extra, happening, scratch));
  }
  if (happening.second_chance) AppendPaths(happening, alert);
  return alert;
}

}  // namespace gyrfalcon
