// Built-in alerts from what a sandbox's messages show about the watching itself.
#pragma once

#include <optional>
#include <string_view>

#include "alerts/builtin.h"
#include "engine/alert_budget.h"
#include "engine/builtin_throttle.h"
#include "engine/event_flood.h"
#include "engine/loss_ledger.h"
#include "engine/shedding.h"
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
// The alerts of a rule that its budget did not let through.
std::vector<AlertField> DescribeSuppressed(const SuppressedAlerts& suppressed,
                                           std::string_view sandbox);

// That something is left out, from now on or more of it: which types of messages, and which rules
// are not asked.
std::vector<AlertField> DescribeShedding(bool begins, ShedRung rung, std::string skipped_types,
                                         bool floods, std::string_view sandbox);
// What was left out, now that nothing is any more.
std::vector<AlertField> DescribeShed(const ShedLedger& shed, std::string_view sandbox);

std::vector<AlertField> DescribeFlood(const FloodReport& report, int64_t until_ns,
                                      std::string_view sandbox);
std::vector<AlertField> DescribeLoss(const LossReport& report, std::string_view sandbox);
// What a session dropped that nobody listened to; `since_ns` nullopt: nobody knows since when.
std::vector<AlertField> DescribeSessionLoss(std::string_view sandbox, std::string_view root,
                                            uint64_t dropped, std::optional<int64_t> since_ns,
                                            int64_t until_ns);

}  // namespace gyrfalcon
