// An alert as bytes of a row in the store, and back: whole, so that every channel can format it
// later.
#pragma once

#include <string>
#include <string_view>

#include "alerts/alert.h"
#include "base/result.h"

namespace gyrfalcon {

// Replaces what is in `out`.
void EncodeAlert(const Alert& alert, std::string& out);

// Files get damaged: no byte is believed. Fault::kInput.
Result<Alert> DecodeAlert(std::string_view bytes);

}  // namespace gyrfalcon
