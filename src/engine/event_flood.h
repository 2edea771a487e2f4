// Whether a sandbox sends messages faster than they are taken up. It is read in turns, so others
// are not starved, but its own queue stays full: its program is slowed down, and messages may be
// lost.
#pragma once

#include <cstdint>
#include <optional>

namespace gyrfalcon {

// What to tell of one.
struct FloodReport {
  uint64_t messages = 0;  // from `since_ns` until now
  int64_t since_ns = 0;
};

// For one connection, of one worker. Times are a SessionClock's, which no step of the host's clock
// moves back; a recording shows no floods, for it has no turns.
class EventFlood {
 public:
  // Turns of one window that ended with messages left to read. A queue that was full once is no
  // flood.
  static constexpr uint32_t kTurnsMax = 64;
  static constexpr int64_t kWindowNs = 1'000'000'000;
  // For as long as turns are cut it is one flood, told once.
  static constexpr int64_t kQuietNs = 60'000'000'000;
  // One that goes on is told again: what was told long ago buys no silence.
  static constexpr int64_t kAgainNs = 600'000'000'000;

  // A turn was cut; `messages` of the connection have come so far. The report, when it is time to
  // tell.
  std::optional<FloodReport> NoteCutTurn(int64_t now_ns, uint64_t messages) {
    const bool goes_on = told_ && now_ns - last_cut_ns_ < kQuietNs && now_ns - told_ns_ < kAgainNs;
    last_cut_ns_ = now_ns;
    if (goes_on) return std::nullopt;
    told_ = false;
    if (turns_ == 0 || now_ns - since_ns_ >= kWindowNs) {
      turns_ = 0;
      since_ns_ = now_ns;
      messages_at_since_ = messages;
    }
    if (++turns_ < kTurnsMax) return std::nullopt;
    turns_ = 0;
    told_ = true;
    told_ns_ = now_ns;
    return FloodReport{.messages = messages - messages_at_since_, .since_ns = since_ns_};
  }

  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, EventFlood& flood) {
    visit("messages_at_since", flood.messages_at_since_);
    visit("since_ns", flood.since_ns_);
    visit("last_cut_ns", flood.last_cut_ns_);
    visit("told_ns", flood.told_ns_);
    visit("turns", flood.turns_);
    visit("told", flood.told_);
  }

 private:
  uint64_t messages_at_since_ = 0;
  int64_t since_ns_ = 0;
  int64_t last_cut_ns_ = 0;
  int64_t told_ns_ = 0;
  uint32_t turns_ = 0;
  bool told_ = false;
};

}  // namespace gyrfalcon
