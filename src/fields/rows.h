// The tables that make up AllFields(), one file for each class of fields.
#pragma once

#include <span>

#include "fields/field.h"

namespace gyrfalcon {

std::span<const FieldDef> EventFields();      // evt.*
std::span<const FieldDef> ProcessFields();    // proc.*, thread.*
std::span<const FieldDef> FdFields();         // fd.*, fs.path.*
std::span<const FieldDef> ContainerFields();  // container.*, k8s.*
std::span<const FieldDef> UserFields();       // user.*, group.*

}  // namespace gyrfalcon
