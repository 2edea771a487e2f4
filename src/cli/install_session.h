// The session config that `install` makes for this node's runsc, and that the daemon makes anew
// when that runsc has changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runsc/session.h"

namespace gyrfalcon {

struct NodeSession {
  std::string text;
  size_t points = 0;
  std::vector<std::string> metadata;  // of each runsc: changes when what it knows changes
};

// With what at least one of these programs knows, and only JSON keys that all of them take: each is
// asked for its metadata, and shown the config. Errors (kEnvironment) for one that can't be run,
// hangs (5 s), is no runsc, or takes no such config.
Result<NodeSession> MakeNodeSession(SessionOptions options, const std::vector<AskedPoint>& points,
                                    const std::vector<std::string>& runscs);

// Whether the runsc takes the config; the error has its words.
Result<void> CheckSessionTaken(const std::string& runsc, const std::string& session);

// The same of its metadata.
Result<std::string> AskMetadata(const std::string& runsc);

// What `install` has made, so that a file that somebody else wrote is never written over.
struct SessionRecord {
  std::string path;
  std::string text;
  std::string profile;
  std::vector<std::string> runscs;
  std::vector<std::string> metadata;
};

// In the folder of NodeFiles::RecordFolder(). nullopt where none is there or it makes no sense.
std::optional<SessionRecord> ReadSessionRecord(const std::string& folder);
Result<void> KeepSessionRecord(const std::string& folder, const SessionRecord& record);

}  // namespace gyrfalcon
