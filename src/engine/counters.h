// What a worker's pipeline counts, as one table; those of wire/, points/ and state/ stand beside
// it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/counter.h"
#include "points/event.h"
#include "state/limits.h"
#include "wire/counters.h"

namespace gyrfalcon {

enum class EngineCounter : uint8_t {
  kMessages,
  kBadFraming,
  kDroppedBySandboxes,
  kHappenings,
  kAlerts,
  kAlertsLost,
  kAlertsHeldBack,
  kSandboxesOpened,
  kSandboxesClosed,
  kSandboxesMoved,
  kSandboxesSplit,
  kTruncated,
  kUserLookupsRefused,
  kMetadataLookups,
  kMetadataLookupsRefused,
  kMetadataUnknown,
  kMessagesHeld,
  kMetadataWaitsEnded,
  kMetadataWaitsCut,
  kProcessLookups,
  kProcessLookupsRefused,
  kProcessLookupsFailed,
  kProcessLookupsSpared,
  kProcessEntriesMalformed,
  kProcessEntriesTrimmed,
  kProcessesUnasked,
  kTimesClamped,
  kContainersDisowned,
  kEventFloods,
  kOverloads,
  kMessagesSkipped,
  kEventsUnasked,
  kAlertsSuppressed,
  kSandboxesRebalanced,
  kStatesKept,
  kStatesResumed,
  kStatesEvicted,
  kSnapshotsWritten,
  kSnapshotsLate,
  kSnapshotsNotWritten,
  kSessionsRestored,
  kSnapshotsRefused,
  kMessagesUnsaved,
  kSessionUpdates,
  kSessionUpdatesFailed,
  kSessionUpdateMs,
  kSessionUpdateDropped,
  kConnectionsNotStored,
  kSessionsAttached,
  kSessionsReattached,
  kSessionsTaken,
  kSessionAttachesFailed,
  kSessionAttachDropped,
  kPodChanges,
  kPodsRefused,
  kPodWatchFailures,
  kCount,
};

inline constexpr auto kEngineCounterRows = std::to_array<CounterRow>({
    {"messages", Severity::kInfo, "Messages taken up."},
    {"bad_framing", Severity::kDataLoss, "Messages refused: their header makes no sense."},
    {"dropped", Severity::kDataLoss,
     "Messages that sandboxes say they could not send: our queue was full, or they were too "
     "large."},
    {"happenings", Severity::kInfo, "Events that rules were asked about."},
    {"alerts", Severity::kInfo, "Alerts raised."},
    {"alerts_lost", Severity::kDataLoss, "Alerts that no channel took in time."},
    {"alerts_held_back", Severity::kInfo,
     "Built-in alerts that a sandbox provoked too often to be raised one by one; their number was "
     "told."},
    {"sandboxes_opened", Severity::kInfo, "Connections taken up by a worker."},
    {"sandboxes_closed", Severity::kInfo, "Connections that ended."},
    {"sandboxes_moved", Severity::kInfo,
     "Sandboxes whose state moved to a newer connection of the same sandbox."},
    {"sandboxes_split", Severity::kInfo,
     "Connections that spoke after their state had moved, and so were another sandbox after all."},
    {"truncated", Severity::kDataLoss,
     "Messages left out because they were larger than the receive buffer."},
    {"user_lookups_refused", Severity::kInfo,
     "Containers whose users and groups show as numbers, for too many waited to be looked up."},
    {"metadata_lookups", Severity::kInfo,
     "Containers that were to be looked up on this host: image, name, pod."},
    {"metadata_lookups_refused", Severity::kInfo,
     "Of those, the ones not made: too many waited, or the container's id is none."},
    {"metadata_unknown", Severity::kInfo,
     "Of those, the ones of which nothing was found: their fields are missing."},
    {"messages_held", Severity::kInfo,
     "Messages that waited in memory until it was known which container they are of."},
    {"metadata_waits_ended", Severity::kInfo,
     "Containers whose messages waited for all of `metadata.wait_ms`, and were then taken up "
     "without an answer."},
    {"metadata_waits_cut", Severity::kInfo,
     "Containers whose messages were taken up without an answer before that: more came than may "
     "wait."},
    {"process_lookups", Severity::kInfo,
     "Times runsc was to be asked which processes a sandbox has."},
    {"process_lookups_refused", Severity::kInfo,
     "Of those, the ones not made: too many sandboxes waited to be asked about."},
    {"process_lookups_failed", Severity::kInfo, "Of those, the ones that runsc could not answer."},
    {"process_lookups_spared", Severity::kInfo,
     "Of those, the ones not made because all who were waited for had ended before their turn."},
    {"process_entries_malformed", Severity::kInfo,
     "Processes in runsc's answers that were left out: not of the form expected, or too long."},
    {"process_entries_trimmed", Severity::kInfo,
     "Processes in runsc's answers of which only the program, its first arguments and its standard "
     "descriptors were kept: the answer was too large."},
    {"processes_unasked", Severity::kDataLoss,
     "Processes that began untold and of which runsc could not tell: it failed, was ended, or its "
     "answer had to be cut."},
    {"times_clamped", Severity::kInfo,
     "Messages whose time was too far from the time they came at, and was moved to the bound."},
    {"containers_disowned", Severity::kInfo,
     "Messages that named a container of another sandbox, or more containers than are remembered; "
     "taken up without it."},
    {"event_floods", Severity::kInfo,
     "Times a sandbox began to send faster than it was taken up: 64 full queues in a second."},
    {"overloads", Severity::kInfo,
     "Times messages of a sandbox began to be left out, because its worker could not keep up."},
    {"messages_skipped", Severity::kDataLoss,
     "Messages left out unread while a worker was overloaded: no rule that is urgent enough needs "
     "them, and they change no state."},
    {"events_unasked", Severity::kDataLoss,
     "Events that less urgent rules were not asked about while a worker was overloaded."},
    {"alerts_suppressed", Severity::kInfo,
     "Alerts of rules that were not raised, as their rule had used up its budget for the sandbox; "
     "their number was told."},
    {"sandboxes_rebalanced", Severity::kInfo,
     "Times a worker that could not keep up gave a sandbox to another one."},
    {"states_kept", Severity::kInfo,
     "Connections that ended while their sandbox ran on: its state was kept for a while."},
    {"states_resumed", Severity::kInfo,
     "Of those, the ones whose sandbox was attached again in time, and went on with its state."},
    {"states_evicted", Severity::kInfo,
     "Of those, the ones forgotten early: too many were kept, or they took too much memory."},
    {"snapshots_written", Severity::kInfo,
     "Times the state of a sandbox was written to where the next process finds it."},
    {"snapshots_late", Severity::kInfo,
     "Of those, the ones written more than a second after the state had changed: it is large, or "
     "there are many."},
    {"snapshots_not_written", Severity::kInfo,
     "Times there was no room for the state of a sandbox: what is there of it is older."},
    {"sessions_restored", Severity::kInfo,
     "Connections taken over from a process of ours that was there before."},
    {"snapshots_refused", Severity::kDataLoss,
     "Of those, the ones without their sandbox's state: none was there, or it was another "
     "version's or corrupt. It is found out anew."},
    {"messages_unsaved", Severity::kDataLoss,
     "Messages that the process before had read when it died, and that are in no state it left."},
    {"session_updates", Severity::kInfo,
     "Times a sandbox that runs was given the session config anew, for its policy or the rules had "
     "changed."},
    {"session_updates_failed", Severity::kInfo,
     "Times that did not work: the sandbox has the session from before, or none, which the log "
     "says."},
    {"session_update_ms", Severity::kDataLoss,
     "Milliseconds between old sessions and new ones, at most, in which sandboxes told nothing."},
    {"session_update_dropped", Severity::kInfo,
     "What the replaced sessions had dropped by then, as `runsc trace list` said; most of it is in "
     "`dropped` too."},
    {"connections_not_stored", Severity::kInfo,
     "Connections that systemd's store does not have: they would not outlive a restart."},
    {"sessions_attached", Severity::kInfo,
     "Times a sandbox that ran without a session was attached."},
    {"sessions_reattached", Severity::kInfo,
     "Times a sandbox whose session had ended, or led nowhere any more, was attached again."},
    {"sessions_taken", Severity::kInfo,
     "Times somebody else's session was replaced: it dropped more and more, or "
     "`gvisor.takeover_sessions` says so."},
    {"session_attaches_failed", Severity::kInfo,
     "Times attaching did not work; the log says why, and it is tried again."},
    {"session_attach_dropped", Severity::kDataLoss,
     "What sessions that led nowhere had dropped when their sandboxes were attached again."},
    {"pod_changes", Severity::kInfo,
     "Pods of this node whose labels the API server told: first, and whenever they were others."},
    {"pods_refused", Severity::kInfo,
     "Times a pod was left out of that: there are too many, or what the server told is too large."},
    {"pod_watch_failures", Severity::kInfo,
     "Times the API server could not be asked for this node's pods; the log says why, and it is "
     "tried again."},
});
static_assert(kEngineCounterRows.size() == static_cast<size_t>(EngineCounter::kCount));

// What the rules in force see (runsc/coverage.h); no worker's, set by who loads them.
enum class RuleFigure : uint8_t { kFull, kDegraded, kBlind, kCount };

inline constexpr auto kRuleFigureRows = std::to_array<CounterRow>({
    {"rules_full", Severity::kInfo, "Enabled rules that see all that they ask for."},
    {"rules_degraded", Severity::kInfo,
     "Enabled rules that miss something, have an exception that never applies, or show less."},
    {"rules_blind", Severity::kInfo, "Enabled rules that no event can make true."},
});
static_assert(kRuleFigureRows.size() == static_cast<size_t>(RuleFigure::kCount));

// Everything counted, added up over workers.
struct Totals {
  Counters<EngineCounter> engine;
  Counters<DecodeError> decode;
  StateCounters state;
  Counters<WireCounter> wire;
  Counters<RuleFigure> rules;

  void Add(const Totals& other);
  uint64_t undecodable() const;  // bad framing and bad protobuf, but not unknown types

  struct Row {
    const CounterRow* def;
    uint64_t value;
  };
  std::vector<Row> Rows() const;
  // {"messages","undecodable","unknown_types","dropped","alerts"}, on one line.
  std::string SummaryJson() const;
};

}  // namespace gyrfalcon
