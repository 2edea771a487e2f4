// What the daemon says in its log at its start, at its end, and when sandboxes were attached.
#pragma once

#include <string>
#include <vector>

#include "channels/delivery_counters.h"
#include "cli/config.h"
#include "cli/load_rules.h"
#include "engine/counters.h"
#include "engine/session_updater.h"

namespace gyrfalcon {

void LogRules(const LoadedRules& loaded);

// Where sandboxes are looked for, and with which session config they are attached ("": they are
// not).
void LogRoots(const Config& config, const std::string& attach_session);

// Warns where the kernel keeps fewer connections waiting than we ask for.
void LogBacklog();

// Of the API server's pods.
void LogPodsUnknown(const Error& error);
void LogPodsWatched();

void LogSessionUpdate(const SessionUpdate& update);
void LogReconciled(const ReconcileReport& told);
void LogDetached(const std::vector<AttachReport>& reports);
void LogTotals(const Totals& totals, const DeliveryFigures& delivery);

}  // namespace gyrfalcon
