#include "cli/install_session.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/checksum.h"
#include "cli/file.h"
#include "cli/scratch_folder.h"
#include "cli/setup_files.h"
#include "runsc/child.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

std::string MetadataText(const SentPoints& known) {
  std::string all;
  for (const auto& [name, point] : known) {
    all += name;
    for (const auto* fields : {&point.context, &point.optional}) {
      all += '\n';
      for (const std::string& field : *fields) all += field + ' ';
    }
  }
  return fmt::format("{} points, {:016x}", known.size(), Checksum(all));
}

// Of one of them at least, or of all.
SentPoints KnownPoints(const std::vector<SentPoints>& of_each, bool of_all) {
  SentPoints known = of_each.front();
  for (const SentPoints& other : of_each) {
    if (of_all) {
      known = Intersect(known, other);
      continue;
    }
    for (const auto& [name, point] : other) {
      known[name].context.insert(point.context.begin(), point.context.end());
      known[name].optional.insert(point.optional.begin(), point.optional.end());
    }
  }
  return known;
}

std::vector<AskedPoint> KeepKnown(std::vector<AskedPoint> points, const SentPoints& known) {
  std::erase_if(points, [&](const AskedPoint& point) { return !known.contains(point.name); });
  for (AskedPoint& point : points) {
    const SentPoint& there = known.find(point.name)->second;
    std::erase_if(point.fields, [&](const AskedField& field) {
      return !(field.optional ? there.optional : there.context).contains(field.name);
    });
  }
  return points;
}

std::vector<std::string> TextsOf(const Json& object, const char* key) {
  std::vector<std::string> texts;
  if (!object.contains(key) || !object[key].is_array()) return texts;
  for (const Json& item : object[key]) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::string RecordPath(const std::string& folder) {
  return folder + "/session.json";
}

}  // namespace

// `trace create` reads the config, strictly as at a sandbox's start, before it looks for the
// sandbox.
Result<void> CheckSessionTaken(const std::string& runsc, const std::string& session) {
  const auto scratch = ScratchFolder::MakeInTmp();
  if (!scratch) return std::unexpected(scratch.error());
  const std::string file = scratch->path() + "/session.json";
  if (auto written = ReplaceFile(file, session); !written) return written;
  const auto asked = RunChild({runsc, "--root=" + scratch->path() + "/root", "trace", "create",
                               "--config=" + file, "gyrfalcon-no-such-sandbox"});
  if (asked || asked.error().message.contains("loading sandbox")) return {};
  return Fail(Fault::kEnvironment,
              fmt::format("{} does not take the session config: {}", runsc, asked.error().message));
}

Result<std::string> AskMetadata(const std::string& runsc) {
  const auto known = AskRunsc(runsc);
  if (!known) return std::unexpected(known.error());
  return MetadataText(*known);
}

Result<NodeSession> MakeNodeSession(SessionOptions options, const std::vector<AskedPoint>& points,
                                    const std::vector<std::string>& runscs) {
  NodeSession session;
  std::vector<SentPoints> known;
  if (runscs.empty()) return Fail(Fault::kUsage, "no runsc is known here: --runsc BINARY");
  for (const std::string& runsc : runscs) {
    auto of_one = AskRunsc(runsc);
    if (!of_one) return Fail(Fault::kEnvironment, of_one.error().message);
    session.metadata.push_back(MetadataText(*of_one));
    known.push_back(std::move(*of_one));
  }
  for (options.ignore_missing = true;; options.ignore_missing = false) {
    const auto asked = KeepKnown(points, KnownPoints(known, !options.ignore_missing));
    session.points = asked.size();
    session.text = GenerateSession(options, asked);
    std::optional<Error> refused;
    for (const std::string& runsc : runscs) {
      const auto taken = CheckSessionTaken(runsc, session.text);
      if (!taken && !refused) refused = taken.error();
    }
    if (!refused) return session;
    const bool is_too_old = options.ignore_missing && refused->message.contains("ignore_missing");
    if (!is_too_old) return std::unexpected(*refused);
  }
}

std::optional<SessionRecord> ReadSessionRecord(const std::string& folder) {
  constexpr size_t kBytesMax = size_t{16} << 20;
  const auto text = ReadIfThere(RecordPath(folder), kBytesMax);
  if (!text || !*text) return std::nullopt;
  const Json in = Json::parse(**text, nullptr, false);
  if (!in.is_object()) return std::nullopt;
  const auto text_of = [&in](const char* key) {
    return in.contains(key) && in[key].is_string() ? in[key].get<std::string>() : std::string();
  };
  return SessionRecord{.path = text_of("path"),
                       .text = text_of("text"),
                       .profile = text_of("profile"),
                       .runscs = TextsOf(in, "runscs"),
                       .metadata = TextsOf(in, "metadata")};
}

Result<void> KeepSessionRecord(const std::string& folder, const SessionRecord& record) {
  Json out;
  std::error_code error;
  std::filesystem::create_directories(folder, error);  // or ReplaceFile says what is wrong
  out["path"] = record.path;
  out["profile"] = record.profile;
  out["runscs"] = record.runscs;
  out["metadata"] = record.metadata;
  out["text"] = record.text;
  return ReplaceFile(RecordPath(folder),
                     out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace gyrfalcon
