#include "cli/daemon_log.h"

#include <algorithm>
#include <filesystem>

#include <fmt/ranges.h>

#include "alerts/alert_format.h"
#include "cli/attach_session.h"
#include "cli/daemon_config.h"
#include "cli/log.h"
#include "runsc/roots.h"
#include "wire/listener.h"

namespace gyrfalcon {

void LogRules(const LoadedRules& loaded) {
  const size_t enabled = CountEnabled(*loaded.rules);
  for (const std::string& file : loaded.files) spdlog::info("rules file: {}", file);
  spdlog::info("rules: {} loaded, {} enabled", loaded.rules->rules().size(), enabled);
  if (enabled == 0) spdlog::warn("no rule is enabled: nothing will be found");
  for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
}

void LogRoots(const Config& config, const std::string& attach_session) {
  if (config.runsc_path.empty()) return;
  std::vector<std::string> roots = RootsOf(config);
  std::error_code error;
  for (const std::string& root : roots) {
    if (std::filesystem::is_directory(root, error)) continue;
    spdlog::warn("gvisor.root: {} is no folder (yet): sandboxes below it are not seen", root);
  }
  if (!IsProgramThere(config.runsc_path)) {
    spdlog::warn(
        "gvisor.runsc: there is no program {}: sandboxes that run are not known, and not "
        "attached",
        config.runsc_path);
  }
  if (LooksAtUsualRoots(config)) std::ranges::copy(UsualRoots(), std::back_inserter(roots));
  if (roots.empty()) {
    spdlog::info(
        "no root of runsc known: only sandboxes that connect are watched; set gvisor.root");
  } else if (!attach_session.empty()) {
    spdlog::info("sandboxes that run and are not traced are attached: session config {}, below {}",
                 attach_session, fmt::join(roots, ", "));
  }
}

void LogBacklog() {
  const auto most = KernelBacklogMax();
  if (!most || *most >= Listener::kBacklog) return;
  spdlog::warn(
      "net.core.somaxconn is {}: more sandboxes that start at once than that wait before they "
      "are "
      "seen; sysctl -w net.core.somaxconn={}",
      *most, Listener::kBacklog);
}

void LogPodsUnknown(const Error& error) {
  spdlog::warn("labels of pods are not watched, and it is tried again: {}",
               Printable(error.message));
}

void LogPodsWatched() {
  spdlog::info("labels of this node's pods are watched at the API server");
}

void LogSessionUpdate(const SessionUpdate& update) {
  for (const std::string& problem : update.problems) spdlog::warn("{}", problem);
  size_t updated = 0;
  for (const AttachReport& report : update.reports) {
    if (report.result != AttachResult::kFailed) {
      ++updated;
    } else {
      spdlog::error("its session config could not be replaced: {}", report.problem);
    }
  }
  if (updated == 0) return;
  const AttachLoss loss = LossOf(update.reports);
  constexpr double kNsPerMs = 1e6;
  spdlog::info(
      "sandboxes that run and have the new session config: {}; {} messages dropped before, nothing "
      "was sent for at most {:.1f} ms, for all together {:.1f} ms",
      updated, loss.dropped_before, static_cast<double>(loss.window_longest_ns) / kNsPerMs,
      static_cast<double>(loss.window_ns) / kNsPerMs);
}

void LogReconciled(const ReconcileReport& told) {
  for (const ReconcileReport::Attached& attached : told.attached) {
    const AttachReport& report = attached.report;
    if (report.result == AttachResult::kFailed) {
      spdlog::warn("not attached, and tried again: {}", report.problem);
      continue;
    }
    const std::string where = fmt::format("sandbox {} below {}", report.id, report.root);
    const uint64_t dropped = report.dropped_before.value_or(0);
    switch (attached.reason) {
      case AttachReason::kUntraced:
        spdlog::info("{} was not traced: attached", where);
        break;
      case AttachReason::kLost:
        spdlog::warn("{}: attached again; {} messages were dropped while nobody listened", where,
                     dropped);
        break;
      case AttachReason::kTakenOver:
        spdlog::warn("{}: taken from who traced it, for whom it had dropped {} messages", where,
                     dropped);
        break;
    }
  }
  for (const SandboxLeftAlone& left : told.left) {
    spdlog::warn("sandbox {} below {} is left alone: {}", left.id, left.root, left.reason);
  }
}

void LogDetached(const std::vector<AttachReport>& reports) {
  size_t detached = 0;
  for (const AttachReport& report : reports) {
    if (report.result == AttachResult::kDetached) {
      ++detached;
    } else {
      spdlog::warn("not detached: {}", report.problem);
    }
  }
  spdlog::info("detached: {} sandboxes", detached);
}

void LogTotals(const Totals& totals, const DeliveryFigures& delivery) {
  spdlog::info("totals: {} messages, {} alerts, {} undecodable, {} dropped by sandboxes",
               totals.engine[EngineCounter::kMessages], totals.engine[EngineCounter::kAlerts],
               totals.undecodable(), totals.engine[EngineCounter::kDroppedBySandboxes]);
  for (const Totals::Row& row : totals.Rows()) {
    if (row.value != 0 && row.def->severity == Severity::kDataLoss) {
      spdlog::warn("{} = {}: {}", row.def->name, row.value, row.def->help);
    }
  }
  for (const DeliveryFigures::Row& row : delivery.Rows()) {
    if (row.value != 0 && row.def->severity == Severity::kDataLoss) {
      spdlog::warn("{} = {}: {}", row.def->name, row.value, row.def->help);
    }
  }
  for (const ChannelFigures& channel : delivery.channels) {
    if (channel.waiting == 0) continue;
    spdlog::warn(
        "output {} has not had {} alerts{}", channel.name, channel.waiting,
        delivery.spooling ? ": they are in the store, and delivered after the next start" : "");
  }
}

}  // namespace gyrfalcon
