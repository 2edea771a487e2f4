// What a capture would hold if its sandbox had been asked for less: messages of points that are not
// sent are left out, and of the others the context and optional fields that are not.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/test_replay.h"
#include "runsc/sent_points.h"
#include "wire/record.h"

namespace gyrfalcon::testing {

// The point that sent a message, side included; "" for one that can't be read.
std::string PointOf(std::string_view datagram);

// The message as a sandbox that sends `sent` would have sent it; nullopt: not at all. A raw exit
// has the context of the raw enter's entry, as in runsc. What can't be read stays as it is.
std::optional<std::string> ReduceMessage(std::string_view datagram, const SentPoints& sent);

// For ReplayForTest.
MessageFilter ReduceTo(SentPoints sent);
// To a session config, its JSON text; a failure of the test where it is none.
MessageFilter ReduceToSession(const std::string& session_json);

// Messages of one connection in order, as ReduceMessage leaves them.
using ReducedMessages = std::vector<std::optional<std::string>>;

// A capture that is read once and replayed many times.
class RecordedCapture {
 public:
  explicit RecordedCapture(std::string path);

  const std::string& path() const { return path_; }
  // Points that have sent at least one message.
  const std::set<std::string, std::less<>>& points() const { return points_; }
  // What a sandbox that sends `sent` would have sent.
  ReducedMessages Reduce(const SentPoints& sent) const;
  // As recorded.
  ReducedMessages All() const;

  // Alerts under `rules`, of messages that Reduce made of this capture. Users of the container have
  // the names of `users`, where there are any.
  std::vector<Alert> Replay(const std::shared_ptr<const RuleSet>& rules,
                            const ReducedMessages& messages,
                            const std::shared_ptr<const UserTable>& users = nullptr) const;

 private:
  std::string path_;
  Record opened_, closed_;
  std::vector<std::string> messages_;
  std::set<std::string, std::less<>> points_;
};

}  // namespace gyrfalcon::testing
