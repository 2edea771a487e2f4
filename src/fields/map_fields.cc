// gyrfalcon.map.*: files mapped into memory. sentry/mmap (evt.type map_file) tells executable
// mappings of files and what they are; mmap, the call, tells the protection and, by its fd, the
// path.
#include <string>

#include <sys/mman.h>

#include "fields/flag_names.h"
#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

bool IsMapFile(const Happening& h) {
  return h.event != nullptr && h.event->type() == MessageType::kSentryMmap;
}

bool IsMmap(const Happening& h) {
  return h.event != nullptr && h.event->type() == MessageType::kMmap;
}

Value Path(const BoundField&, const Happening& h, Scratch&) {
  if (IsMapFile(h)) return Value::Text(h.event->text(Slot::kMappedPath));
  const bool of_file = IsMmap(h) && h.file != nullptr && !h.file->name.empty();
  return of_file ? Value::Text(h.file->name) : Value();
}

Value Protection(const BoundField&, const Happening& h, Scratch& scratch) {
  if (!IsMmap(h)) return {};
  std::string names;
  const auto protection = static_cast<uint64_t>(h.event->number(Slot::kProt));
  AppendNames(Vocabulary::kProtection, FalcoNumber(Vocabulary::kProtection, protection), names);
  return Value::Text(scratch.Copy(names));
}

Value Executable(const BoundField&, const Happening& h, Scratch&) {
  if (IsMapFile(h)) return Value::Bool(true);
  return IsMmap(h) ? Value::Bool((h.event->number(Slot::kProt) & PROT_EXEC) != 0) : Value();
}

template <Slot slot>
Value Number(const BoundField&, const Happening& h, Scratch&) {
  return IsMapFile(h) ? Value::Uint(static_cast<uint64_t>(h.event->number(slot))) : Value();
}

Value Initial(const BoundField&, const Happening& h, Scratch&) {
  return IsMapFile(h) ? Value::Bool(h.event->number(Slot::kIsInitialMmap) != 0) : Value();
}

Value ChangeTime(const BoundField&, const Happening& h, Scratch&) {
  if (!IsMapFile(h) || !h.event->has(Slot::kMappedCtime)) return {};
  return Value::Uint(static_cast<uint64_t>(DecodeTimespecNs(h.event->text(Slot::kMappedCtime))));
}

FileLayers LayersOf(const Event& event) {
  const std::string_view path = event.text(Slot::kMappedPath);
  return {.upper = event.number(Slot::kOverlayfsUpper) != 0,
          .lower = event.number(Slot::kOverlayfsLower) != 0,
          .memfd = path.starts_with("/memfd:")};
}

Value DriftOfMap(const BoundField&, const Happening& h, Scratch&) {
  return IsMapFile(h) ? Value::Text(Name(DriftOf(LayersOf(*h.event)))) : Value();
}

Value MapFromImage(const BoundField&, const Happening& h, Scratch&) {
  if (!IsMapFile(h)) return {};
  const bool overlay_seen = h.container != nullptr && h.container->overlay_seen;
  const FromImage from_image = IsFromImage(LayersOf(*h.event), overlay_seen);
  if (from_image == FromImage::kUnknown) return {};
  return Value::Bool(from_image == FromImage::kYes);
}

constexpr FieldDef MapField(std::string_view name, FieldType type, Extractor extract,
                            std::string_view help, PrintFormat print = PrintFormat::kPlain) {
  return {.name = name,
          .type = type,
          .print = print,
          .availability = Availability::kPartial,
          .extract = extract,
          .help = help};
}

constexpr FieldDef kRows[] = {
    MapField("gyrfalcon.map.ctime", FieldType::kUint, ChangeTime,
             "When the mapped file last changed, ns since the epoch (map_file). Not in Falco."),
    MapField("gyrfalcon.map.drift", FieldType::kText, DriftOfMap,
             "Whether the mapped file changed since the container started: none, modified, added, "
             "unknown, as gyrfalcon.exe.drift (map_file). Not in Falco."),
    MapField("gyrfalcon.map.exec", FieldType::kBool, Executable,
             "Whether the mapping may be executed: true for each map_file, by the protection for "
             "mmap. Not in Falco."),
    MapField("gyrfalcon.map.from_image", FieldType::kBool, MapFromImage,
             "Whether the mapped file is the image's, unchanged, as gyrfalcon.exe.from_image "
             "(map_file); missing where nothing tells. Not in Falco."),
    MapField("gyrfalcon.map.gid", FieldType::kUint, Number<Slot::kMappedGid>,
             "Group of the mapped file (map_file). Not in Falco."),
    MapField("gyrfalcon.map.initial", FieldType::kBool, Initial,
             "Whether the program's start made the mapping, not the program itself (map_file). Not "
             "in Falco."),
    MapField("gyrfalcon.map.ino", FieldType::kUint, Number<Slot::kMappedIno>,
             "Inode of the mapped file (map_file). Not in Falco."),
    MapField("gyrfalcon.map.mode", FieldType::kUint, Number<Slot::kMappedMode>,
             "Type and permissions of the mapped file (st_mode), printed in octal (map_file). Not "
             "in Falco.",
             PrintFormat::kOctal),
    MapField("gyrfalcon.map.path", FieldType::kText, Path,
             "The mapped file's own path: of map_file, and of mmap where its fd is known. Not in "
             "Falco."),
    MapField("gyrfalcon.map.prot", FieldType::kText, Protection,
             "Protection of the mapping (mmap): PROT_READ|PROT_EXEC, say; of map_file gVisor tells "
             "no more than that it is executable. Not in Falco."),
    MapField("gyrfalcon.map.uid", FieldType::kUint, Number<Slot::kMappedUid>,
             "Owner of the mapped file (map_file). Not in Falco."),
};

}  // namespace

std::span<const FieldDef> MapFields() {
  return kRows;
}

}  // namespace gyrfalcon
