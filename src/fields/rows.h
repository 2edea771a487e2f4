// The tables that make up AllFields(), one file for each class of fields.
#pragma once

#include <span>

#include "fields/field.h"

namespace gyrfalcon {

// A field that gVisor can't feed: it loads, and is always missing.
constexpr FieldDef NeverField(std::string_view name, FieldType type, std::string_view help,
                              ArgForm arg = ArgForm::kNone, uint8_t flags = 0,
                              std::string_view falco_type = {}) {
  return {.name = name,
          .type = type,
          .arg = arg,
          .flags = flags,
          .availability = Availability::kNever,
          .help = help,
          .falco_type = falco_type};
}

// A field of the process that stays as it is until the process itself changes.
constexpr FieldDef OwnField(std::string_view name, FieldType type, Extractor extract,
                            std::string_view help, Availability availability = Availability::kYes,
                            std::string_view falco_type = {}) {
  return {.name = name,
          .type = type,
          .availability = availability,
          .level = Level::kProcess,
          .invalidated_by = kBySelf,
          .extract = extract,
          .help = help,
          .falco_type = falco_type};
}

// Nanoseconds from `earlier_ns` to `later_ns`; wraps, for a forged clock may be anything.
constexpr int64_t Since(int64_t earlier_ns, int64_t later_ns) {
  return static_cast<int64_t>(static_cast<uint64_t>(later_ns) - static_cast<uint64_t>(earlier_ns));
}

std::span<const FieldDef> EventFields();      // evt.*, syscall.type, util.cnt
std::span<const FieldDef> ProcessFields();    // proc.*, thread.*
std::span<const FieldDef> FdFields();         // fd.*, fs.path.*
std::span<const FieldDef> ContainerFields();  // container.*, k8s.*
std::span<const FieldDef> UserFields();       // user.*, group.*
std::span<const FieldDef> PathFields();       // gyrfalcon.path.*
std::span<const FieldDef> ExeFields();        // gyrfalcon.exe.*
std::span<const FieldDef> MapFields();        // gyrfalcon.map.*
std::span<const FieldDef> PipeFields();       // gyrfalcon.pipe.*

}  // namespace gyrfalcon
