// Raw messages: system calls that have no schematised point, and tripwires beside those that have
// one. gVisor sends a raw message just before its schematised twin of the same thread; the twin is
// not sent, and not counted, when one of its strings is not UTF-8.
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

// System calls whose success sentry/ messages tell, and tell better.
bool IsToldBySentry(const PointRef& point, bool has_sentry_clone) {
  const std::string_view name = Describe(*point.event_type).name;
  if (name == "execve" || name == "execveat") return true;
  return has_sentry_clone &&
         (name == "clone" || name == "clone3" || name == "fork" || name == "vfork");
}

}  // namespace

void Sandbox::NoteSchematised(const Moment& moment) {
  const uint64_t sysno = moment.event.sysno();
  auto& seen = schematised_[moment.event.is_exit() ? 1 : 0];
  if (sysno >= seen.size() || seen.test(sysno)) return;
  if (moment.point.point == nullptr || !moment.point.point->is_syscall()) return;
  seen.set(sysno);
  if (!moment.event.is_exit()) JudgeEarlierRaws(sysno, moment.sink);
}

void Sandbox::JudgeEarlierRaws(uint64_t sysno, HappeningSink& sink) {
  std::erase_if(unjudged_raws_, [&](const UnjudgedRaw& earlier) {
    if (earlier.raw.sysno != sysno) return false;
    TellHidden(earlier.tid, *earlier.process, earlier.raw, sink);
    return true;
  });
}

// Where a call's twin never comes, either the session does not have it, or each one was hidden. A
// session that pairs other calls pairs this one too.
void Sandbox::JudgeUnpairedRaws(uint64_t until_message, HappeningSink& sink) {
  if (!has_tripwires_) return;
  while (!unjudged_raws_.empty() && unjudged_raws_.front().message <= until_message) {
    JudgeFirstUnpairedRaw(sink);
  }
}

void Sandbox::JudgeFirstUnpairedRaw(HappeningSink& sink) {
  const UnjudgedRaw earlier = std::move(unjudged_raws_.front());
  unjudged_raws_.erase(unjudged_raws_.begin());
  // A session may ask for a call by its raw point alone: that is no attack for ever.
  constexpr uint8_t kEnough = 8;
  uint8_t& told = unpaired_told_[earlier.raw.sysno % unpaired_told_.size()];
  if (told == kEnough) {
    counters_.Add(StateCounter::kRawsRefused);
    return;
  }
  ++told;
  TellHidden(earlier.tid, *earlier.process, earlier.raw, sink);
}

// A connection that has gone quiet brings neither the messages that would be patience enough nor
// its end.
void Sandbox::JudgeWaitingRaws(int64_t receive_time_ns, HappeningSink& sink) {
  constexpr int64_t kTwinPatienceNs = 1'000'000'000;
  if (!has_tripwires_) return;
  while (!unjudged_raws_.empty() && unjudged_raws_.front().received_ns != 0 &&
         receive_time_ns - unjudged_raws_.front().received_ns >= kTwinPatienceNs) {
    JudgeFirstUnpairedRaw(sink);
  }
}

// Without an enter of its own the raw exit has the call's arguments, not its result's twin; both
// are judged alike.
void Sandbox::OnRaw(Moment& moment) {
  if (!moment.point.event_type) return;
  const Event& event = moment.event;
  const uint64_t sysno = event.sysno();
  Thread& thread = *moment.thread;
  const PointDef* twin = SchematisedPoint(sysno, arch_);
  if (twin == nullptr) {
    const bool told = event.error_number() == 0 && IsToldBySentry(moment.point, has_sentry_clone_);
    if (event.is_exit() && !told) TellRaw(moment);
    return;
  }
  raw_twins_.set(static_cast<size_t>(twin->message));
  const auto& seen = schematised_[event.is_exit() ? 1 : 0];
  PendingRaw raw{.sysno = sysno,
                 .is_exit = event.is_exit(),
                 .twin_expected = sysno < seen.size() && seen.test(sysno),
                 .twin_hidden = event.is_exit() && thread.hidden_enter == sysno,
                 .time_ns = moment.time_ns,
                 .losses = losses_,
                 .exit = {}};
  thread.hidden_enter = kNoSyscall;
  const bool told = event.error_number() == 0 && IsToldBySentry(moment.point, has_sentry_clone_);
  if (event.is_exit() && !raw.twin_expected && !told && MemoryLeft()) {
    raw.exit = Ref(arena_.New<RawExit>());
    raw.exit->event = event.CopyOfRaw();
  }
  thread.pending_raw = std::move(raw);
}

// `next`: the thread's next message; nullptr when there is none any more. One is pending.
void Sandbox::SettleRaw(int32_t tid, Thread& thread, const Event* next, HappeningSink& sink) {
  PendingRaw raw = std::move(*thread.pending_raw);
  thread.pending_raw.reset();
  const bool twin_follows = next != nullptr && next->type() != MessageType::kRaw &&
                            next->sysno() == raw.sysno && next->is_exit() == raw.is_exit;
  if (twin_follows) {
    has_tripwires_ = true;
    thread.told_hidden = raw.twin_hidden;
    return;
  }
  if (raw.twin_expected) {
    if (!raw.is_exit) thread.hidden_enter = raw.sysno;
    // Without a next message the twin may still have been under way.
    if (next != nullptr && raw.losses == losses_ && !raw.twin_hidden) {
      TellHidden(tid, *thread.process, raw, sink);
    }
    return;
  }
  if (!raw.is_exit) {
    const bool meaningful = next != nullptr && raw.losses == losses_;
    if (!meaningful) return;
    if (unjudged_raws_.size() < limits_.unjudged_raws_max) {
      unjudged_raws_.push_back({std::move(raw), tid, thread.process, messages_, received_ns_});
    } else {
      counters_.Add(StateCounter::kRawsRefused);
    }
    return;
  }
  if (!raw.exit) return;
  Moment moment{.event = raw.exit->event,
                .point = ResolvePoint(MessageType::kRaw, raw.sysno, arch_),
                .time_ns = raw.time_ns,
                .thread = &thread,
                .process = thread.process,
                .container = thread.process->container,
                .sink = sink};
  TellRaw(moment);
}

void Sandbox::TellHidden(int32_t tid, const Process& process, const PendingRaw& raw,
                         HappeningSink& sink) {
  const PointRef point = ResolvePoint(MessageType::kRaw, raw.sysno, arch_);
  sink.OnSignal({.kind = SignalKind::kEventHidden,
                 .syscall = point.event_type.value_or(EventType{}),
                 .time_ns = raw.time_ns,
                 .tid = tid,
                 .process = &process,
                 .container = process.container.get(),
                 .before = {},
                 .after = {}});
}

}  // namespace gyrfalcon
