// gyrfalcon.exe.*: the file of the program that a process runs, as sentry/execve told it.
#include <span>

#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

const Image& ImageOf(const Happening& h) {
  return *h.process->image;
}

Value Hex(std::span<const uint8_t> bytes, Scratch& scratch) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::span<char> out = scratch.Chars(2 * bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 0xf];
  }
  return Value::Text({out.data(), out.size()});
}

Value Sha256(const BoundField&, const Happening& h, Scratch& scratch) {
  return ImageOf(h).has_sha256 ? Hex(ImageOf(h).sha256, scratch) : Value();
}

Value Sha1(const BoundField&, const Happening& h, Scratch& scratch) {
  return ImageOf(h).has_sha1 ? Hex(ImageOf(h).sha1, scratch) : Value();
}

template <uint64_t Image::* number>
Value NonZero(const BoundField&, const Happening& h, Scratch&) {
  const uint64_t value = ImageOf(h).*number;
  return value == 0 ? Value() : Value::Uint(value);
}

template <uint32_t Image::* number>
Value Told(const BoundField&, const Happening& h, Scratch&) {
  return ImageOf(h).has_binary_info ? Value::Uint(ImageOf(h).*number) : Value();
}

Value Execfn(const BoundField&, const Happening& h, Scratch&) {
  return ImageOf(h).exec_name.empty() ? Value() : Value::Text(ImageOf(h).exec_name);
}

Value DriftOfExe(const BoundField&, const Happening& h, Scratch&) {
  return Value::Text(Name(DriftOf(ImageOf(h).layers())));
}

Value ExeFromImage(const BoundField&, const Happening& h, Scratch&) {
  const FromImage from_image = ImageOf(h).from_image;
  if (from_image == FromImage::kUnknown) return {};
  return Value::Bool(from_image == FromImage::kYes);
}

Value Written(const BoundField&, const Happening& h, Scratch&) {
  return Value::Bool(ImageOf(h).written_before);
}

constexpr auto kText = FieldType::kText;
constexpr auto kBool = FieldType::kBool;
constexpr auto kUint = FieldType::kUint;
constexpr auto kPartial = Availability::kPartial;

constexpr FieldDef kRows[] = {
    OwnField("gyrfalcon.exe.drift", kText, DriftOfExe,
             "Whether the program's file changed since the container started: none, modified (the "
             "image's file was written), added (a new file, or memory), unknown. unknown: on "
             "a mount beside the overlay (a volume, gVisor's tmpfs on an empty /tmp), with "
             "--overlay2=none, and with an older runsc. Not in Falco.",
             kPartial),
    OwnField("gyrfalcon.exe.execfn", kText, Execfn,
             "The path that execve was given, as passed: a link's own name, say; proc.exepath is "
             "what it led to. Not in Falco.",
             kPartial),
    OwnField(
        "gyrfalcon.exe.from_image", kBool, ExeFromImage,
        "Whether the program's file is the image's, unchanged. false also for a file in "
        "neither layer once another file of the container was seen in the lower one: it lies on "
        "a mount of its own. Missing where nothing tells. Not in Falco.",
        kPartial),
    OwnField("gyrfalcon.exe.gid", kUint, Told<&Image::owner_gid>,
             "Group of the program's file. Not in Falco.", kPartial),
    {.name = "gyrfalcon.exe.mode",
     .type = kUint,
     .print = PrintFormat::kOctal,
     .availability = kPartial,
     .level = Level::kProcess,
     .invalidated_by = kBySelf,
     .extract = Told<&Image::mode>,
     .help = "Type and permissions of the program's file (st_mode), printed in octal. Not in "
             "Falco."},
    OwnField("gyrfalcon.exe.nlink", kUint, NonZero<&Image::links>,
             "Number of hard links of the program's file. Not in Falco.", kPartial),
    OwnField("gyrfalcon.exe.sha1", kText, Sha1,
             "SHA-1 of the program's file, in hexadecimal; only where the session asks for "
             "binary_sha1. Not in Falco.",
             kPartial),
    OwnField("gyrfalcon.exe.sha256", kText, Sha256,
             "SHA-256 of the program's file, in hexadecimal; only where the session asks for "
             "binary_sha256. gVisor remembers it by inode, size and ctime. Not in Falco.",
             kPartial),
    OwnField("gyrfalcon.exe.size", kUint, NonZero<&Image::size>,
             "Size of the program's file in bytes. Not in Falco.", kPartial),
    OwnField("gyrfalcon.exe.uid", kUint, Told<&Image::owner_uid>,
             "Owner of the program's file. Not in Falco.", kPartial),
    OwnField(
        "gyrfalcon.exe.written", kBool, Written,
        "Whether the program's file was opened for writing in the sandbox before. Not in Falco."),
};

}  // namespace

std::span<const FieldDef> ExeFields() {
  return kRows;
}

}  // namespace gyrfalcon
