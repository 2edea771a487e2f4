// gyrfalcon.path.*: what a path was said to be, and what it was.
#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

bool IsPath(const File& file) {
  return file.type == FileType::kFile || file.type == FileType::kDirectory;
}

Value Claimed(const BoundField&, const Happening& h, Scratch&) {
  if (h.file == nullptr) return h.path.empty() ? Value() : Value::Text(h.path);
  if (!IsPath(*h.file)) return {};
  return Value::Text(h.file->claimed.empty() ? h.file->name : h.file->claimed);
}

Value True(const BoundField&, const Happening& h, Scratch&) {
  const bool known = h.file != nullptr && h.file->true_name;
  return known ? Value::Text(h.file->name) : Value();
}

Value Raced(const BoundField&, const Happening& h, Scratch&) {
  return Value::Bool(h.raced || (h.file != nullptr && h.file->raced));
}

constexpr FieldDef kRows[] = {
    {.name = "gyrfalcon.path.claimed",
     .type = FieldType::kText,
     .availability = Availability::kPartial,
     .extract = Claimed,
     .help = "The path as the program passed it at the open, made absolute; fd.name has the true "
             "one as soon as it is known."},
    {.name = "gyrfalcon.path.raced",
     .type = FieldType::kBool,
     .extract = Raced,
     .help = "Whether the path changed between the enter and the exit of the call, or of the open "
             "of the file: somebody works against checks of paths."},
    {.name = "gyrfalcon.path.true",
     .type = FieldType::kText,
     .availability = Availability::kPartial,
     .extract = True,
     .help = "The open file's own path, without symbolic links; known once a message tells it "
             "(fd_path of close, read, write and others)."},
};

}  // namespace

std::span<const FieldDef> PathFields() {
  return kRows;
}

}  // namespace gyrfalcon
