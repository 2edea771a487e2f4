// Built-in alerts from what a sandbox's messages show about the watching itself.
#pragma once

#include <string_view>

#include "alerts/builtin.h"
#include "engine/builtin_throttle.h"
#include "engine/event_flood.h"
#include "engine/loss_ledger.h"
#include "state/signal.h"

namespace gyrfalcon {

// The built-in alert that a signal is; nullopt for one that only explains a loss.
std::optional<Builtin> BuiltinOf(SignalKind kind);

// `sandbox`: how people know it (the id below its runsc root, or "connection N").
std::vector<AlertField> DescribeSignal(const Signal& signal, std::string_view sandbox);
// `owner`: the sandbox whose container it is.
std::vector<AlertField> DescribeClaim(std::string_view container, std::string_view sandbox,
                                      std::string_view owner);
// Adds nothing where nothing was held back.
void AppendHeldBack(const HeldBack& held, std::vector<AlertField>& fields);
std::vector<AlertField> DescribeFlood(const FloodReport& report, int64_t until_ns,
                                      std::string_view sandbox);
std::vector<AlertField> DescribeLoss(const LossReport& report, std::string_view sandbox);

}  // namespace gyrfalcon
