#include "engine/sensor_alerts.h"

namespace gyrfalcon {
namespace {

std::string_view CauseOf(const LossReport& report) {
  if (report.exec_too_large) return "message too large";
  if (report.count(LossKind::kDropped) != 0) return "queue full";
  if (report.count(LossKind::kTruncated) != 0) return "larger than the receive buffer";
  if (report.count(LossKind::kUndecodable) != 0) return "undecodable";
  if (report.count(LossKind::kUnsaved) != 0) return "gyrfalcon ended at once";
  if (report.count(LossKind::kUnasked) != 0) {
    return "could not be asked about processes that began untold";
  }
  return "limit of the state";
}

}  // namespace

std::optional<Builtin> BuiltinOf(SignalKind kind) {
  switch (kind) {
    case SignalKind::kPathChanged:
      return Builtin::kPathChanged;
    case SignalKind::kEventHidden:
      return Builtin::kEventHidden;
    case SignalKind::kProcessFlood:
      return Builtin::kProcessFlood;
    case SignalKind::kExecLost:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<AlertField> DescribeSignal(const Signal& signal, std::string_view sandbox) {
  const Process& process = *signal.process;
  std::vector<AlertField> fields;
  fields.push_back({"evt.type", std::string(Describe(signal.syscall).name)});
  if (signal.kind == SignalKind::kPathChanged) {
    fields.push_back({"gyrfalcon.path.enter", std::string(signal.before)});
    fields.push_back({"gyrfalcon.path.exit", std::string(signal.after)});
  }
  if (signal.kind == SignalKind::kProcessFlood) {
    fields.push_back({"gyrfalcon.processes", signal.count});
    fields.push_back({"gyrfalcon.processes.since", signal.since_ns});
    fields.push_back({"gyrfalcon.processes.until", signal.time_ns});
  }
  fields.push_back({"proc.name", std::string(process.name.view())});
  fields.push_back({"proc.cmdline", std::string(process.CommandLine())});
  fields.push_back({"proc.exepath", std::string(process.image->exe_path)});
  fields.push_back({"proc.pid", int64_t{process.tgid}});
  fields.push_back({"thread.tid", int64_t{signal.tid}});
  AlertField container{"container.id", {}};
  if (signal.container != nullptr) container.value = std::string(signal.container->short_id());
  fields.push_back(std::move(container));
  fields.push_back({"gyrfalcon.sandbox", std::string(sandbox)});
  return fields;
}

std::vector<AlertField> DescribeClaim(std::string_view container, std::string_view sandbox,
                                      std::string_view owner) {
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.claimed.container", std::string(container)},
          {"gyrfalcon.claimed.owner", std::string(owner)}};
}

void AppendHeldBack(const HeldBack& held, std::vector<AlertField>& fields) {
  if (held.count == 0) return;
  fields.push_back({"gyrfalcon.held_back", held.count});
  fields.push_back({"gyrfalcon.held_back.since", held.since_ns});
  fields.push_back({"gyrfalcon.held_back.until", held.until_ns});
}

std::vector<AlertField> DescribeFlood(const FloodReport& report, int64_t until_ns,
                                      std::string_view sandbox) {
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.messages", report.messages},
          {"gyrfalcon.messages.since", report.since_ns},
          {"gyrfalcon.messages.until", until_ns}};
}

std::vector<AlertField> DescribeSuppressed(const SuppressedAlerts& suppressed,
                                           std::string_view sandbox) {
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.rule", suppressed.rule},
          {"gyrfalcon.rule.priority", std::string(PriorityName(suppressed.priority))},
          {"gyrfalcon.suppressed", suppressed.held.count},
          {"gyrfalcon.suppressed.since", suppressed.held.since_ns},
          {"gyrfalcon.suppressed.until", suppressed.held.until_ns}};
}

std::vector<AlertField> DescribeShedding(bool begins, ShedRung rung, std::string skipped_types,
                                         bool floods, std::string_view sandbox) {
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.overload", std::string(begins ? "begins" : "rises")},
          {"gyrfalcon.skipped.below", std::string(PriorityName(ShedPlan::LeastAt(rung)))},
          {"gyrfalcon.skipped.types", std::move(skipped_types)},
          {"gyrfalcon.floods", floods}};
}

std::vector<AlertField> DescribeShed(const ShedLedger& shed, std::string_view sandbox) {
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.overload", std::string("ended")},
          {"gyrfalcon.skipped.messages", Sum(shed.skipped)},
          {"gyrfalcon.skipped.by_type", ByType(shed.skipped)},
          {"gyrfalcon.unasked.events", Sum(shed.unasked)},
          {"gyrfalcon.unasked.by_type", ByType(shed.unasked)},
          {"gyrfalcon.skipped.since", shed.since_ns},
          {"gyrfalcon.skipped.until", shed.until_ns}};
}

std::vector<AlertField> DescribeSessionLoss(std::string_view sandbox, std::string_view root,
                                            uint64_t dropped, std::optional<int64_t> since_ns,
                                            int64_t until_ns) {
  AlertField since{"gyrfalcon.lost.since", {}};
  if (since_ns) since.value = *since_ns;
  return {{"gyrfalcon.sandbox", std::string(sandbox)},
          {"gyrfalcon.sandbox.root", std::string(root)},
          {"gyrfalcon.lost.cause", std::string("nobody listened")},
          {"gyrfalcon.lost.dropped", dropped},
          std::move(since),
          {"gyrfalcon.lost.until", until_ns}};
}

std::vector<AlertField> DescribeLoss(const LossReport& report, std::string_view sandbox) {
  return {
      {"gyrfalcon.sandbox", std::string(sandbox)},
      {"gyrfalcon.lost.cause", std::string(CauseOf(report))},
      {"gyrfalcon.lost.dropped", report.count(LossKind::kDropped)},
      {"gyrfalcon.lost.truncated", report.count(LossKind::kTruncated)},
      {"gyrfalcon.lost.undecodable", report.count(LossKind::kUndecodable)},
      {"gyrfalcon.lost.limits", report.count(LossKind::kLimit)},
      {"gyrfalcon.lost.unasked", report.count(LossKind::kUnasked)},
      {"gyrfalcon.lost.unsaved", report.count(LossKind::kUnsaved)},
      {"gyrfalcon.lost.since", report.since_ns},
      {"gyrfalcon.lost.until", report.until_ns},
  };
}

}  // namespace gyrfalcon
