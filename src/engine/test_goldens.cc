#include "engine/test_goldens.h"

#include <algorithm>
#include <fstream>

#include "alerts/alert_format.h"
#include "points/event.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon::testing {

using Json = nlohmann::json;

MessageTimes::MessageTimes(const std::string& capture) {
  CaptureSource source({capture});
  Record record;
  std::map<int32_t, size_t> attempt_of_thread;
  size_t attempts = 0;
  while (source.Next(record) != SourceStatus::kEnd) {
    if (record.kind != RecordKind::kFrame) continue;
    const auto message = ReadMessage(record.frame);
    Event event;
    if (!message || !Decode(message->type, message->payload, event)) continue;
    const int32_t tid = event.context().thread_id;
    const bool is_exec = event.type() == MessageType::kExecve;
    // enter, exit, and sentry/execve where the program did start
    if (is_exec && !event.is_exit()) attempt_of_thread[tid] = ++attempts;
    const auto attempt = attempt_of_thread.find(tid);
    const bool is_part =
        attempt != attempt_of_thread.end() && (is_exec || event.type() == MessageType::kSentryExec);
    by_time_.emplace(event.context().time_ns,
                     Message{.thread_id = tid, .exec_attempt = is_part ? attempt->second : 0});
  }
}

bool MessageTimes::IsSameHappening(int64_t golden_time_ns, int64_t our_time_ns) const {
  if (golden_time_ns == our_time_ns) return true;
  const auto [first, last] = by_time_.equal_range(golden_time_ns);
  const auto [our_first, our_last] = by_time_.equal_range(our_time_ns);
  return std::any_of(first, last, [&](const auto& golden) {
    return std::any_of(our_first, our_last, [&](const auto& our) {
      return golden.second.thread_id == our.second.thread_id && golden.second.exec_attempt != 0 &&
             golden.second.exec_attempt == our.second.exec_attempt;
    });
  });
}

Json ToJson(const Alert& alert) {
  return Json::parse(FormatJson(alert, {}));
}

std::vector<Json> ReadJsonLines(const std::string& path) {
  std::vector<Json> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) out.push_back(Json::parse(line));
  return out;
}

namespace {

int64_t TimeOf(const Json& alert) {
  return alert["output_fields"]["evt.time"].get<int64_t>();
}

// A field's value as the output text shows it.
std::string Shown(const Json& value) {
  if (value.is_null()) return "<NA>";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Behind the time: Falco's is that of another message where it tells of an exec.
std::string OutputText(const Json& alert) {
  const auto output = alert["output"].get<std::string>();
  return output.substr(output.find(": ") + 2);
}

struct Difference {
  std::string field;
  Json golden, our;  // discarded: not there
};

// Whether the text becomes ours when each differing value takes the golden one's place, once.
bool BecomesOurs(const std::string& text, const std::string& ours,
                 std::span<const Difference> differences) {
  if (differences.empty()) return text == ours;
  const std::string from = Shown(differences.front().golden);
  const std::string to = Shown(differences.front().our);
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
    std::string changed = text;
    changed.replace(at, from.size(), to);
    if (BecomesOurs(changed, ours, differences.subspan(1))) return true;
  }
  return false;
}

std::vector<Difference> CompareFields(const Json& golden, const Json& our) {
  const Json& theirs = golden["output_fields"];
  const Json& ours = our["output_fields"];
  std::vector<Difference> out;
  const auto value_in = [](const Json& fields, const std::string& key) {
    return fields.contains(key) ? fields[key] : Json(Json::value_t::discarded);
  };
  for (const auto& [key, value] : theirs.items()) {
    const Json other = value_in(ours, key);
    // dump tells 1 from "1", 1.0 and true, which operator== does not always
    if (key != "evt.time" && (other.is_discarded() || other.dump() != value.dump())) {
      out.push_back({key, value, other});
    }
  }
  for (const auto& [key, value] : ours.items()) {
    if (!theirs.contains(key)) out.push_back({key, Json(Json::value_t::discarded), value});
  }
  return out;
}

// The entries of the list that speak of one run, and how often each still has to come.
class ListedForRun {
 public:
  ListedForRun(const Json& deviations, const GoldenRun& run) {
    const auto names = [](const Json& list, const std::string& name) {
      return std::ranges::any_of(list, [&](const Json& item) { return item == name; });
    };
    for (const Json& entry : deviations) {
      if (!names(entry["rules"], run.rules) || !names(entry["runsc"], run.runsc)) continue;
      const auto count = entry["captures"].find(run.capture);
      if (count != entry["captures"].end()) rows_.push_back({&entry, count->get<int>()});
    }
  }

  bool Take(const std::string& what, const Json& rule, const Difference* field = nullptr) {
    for (Row& row : rows_) {
      const Json& entry = *row.entry;
      if (row.left == 0 || entry["what"] != what || entry["rule"] != rule) continue;
      const bool fits =
          field == nullptr || (entry["field"] == field->field && entry["falco"] == field->golden &&
                               entry["ours"] == field->our);
      if (!fits) continue;
      --row.left;
      return true;
    }
    return false;
  }

  void ReportUnused(std::vector<std::string>& out) const {
    for (const Row& row : rows_) {
      if (row.left == 0) continue;
      out.push_back("listed, but " + std::to_string(row.left) + " too often: " + row.entry->dump());
    }
  }

 private:
  struct Row {
    const Json* entry;
    int left;
  };
  std::vector<Row> rows_;
};

void ComparePair(const Json& golden, const Json& our, ListedForRun& listed,
                 std::vector<std::string>& out) {
  const std::string rule = golden["rule"];
  for (const char* key : {"priority", "source", "tags"}) {
    if (golden[key] != our[key]) out.push_back(rule + ": " + key + " is " + our[key].dump());
  }
  std::vector<Difference> differences = CompareFields(golden, our);
  for (const Difference& difference : differences) {
    if (listed.Take("field", rule, &difference)) continue;
    out.push_back(rule + ": " + difference.field + " is " + difference.our.dump() + ", not " +
                  difference.golden.dump());
  }
  const bool same_text = BecomesOurs(OutputText(golden), OutputText(our), differences);
  if (!same_text) {
    out.push_back(rule + ": the output is not\n  " + OutputText(golden) + "\nbut\n  " +
                  OutputText(our));
  }
}

}  // namespace

std::vector<std::string> CompareWithGoldens(const std::vector<Json>& goldens,
                                            const std::vector<Json>& ours,
                                            const MessageTimes& times, const GoldenRun& run,
                                            const Json& deviations) {
  std::vector<std::string> out;
  ListedForRun listed(deviations, run);
  std::vector<bool> taken(ours.size(), false);
  for (const Json& golden : goldens) {
    size_t at = 0;
    while (at < ours.size() && (taken[at] || ours[at]["rule"] != golden["rule"] ||
                                !times.IsSameHappening(TimeOf(golden), TimeOf(ours[at])))) {
      ++at;
    }
    if (at < ours.size()) {
      taken[at] = true;
      ComparePair(golden, ours[at], listed, out);
    } else if (!listed.Take("missing", golden["rule"])) {
      out.push_back("missing: " + golden["output"].get<std::string>());
    }
  }
  for (size_t i = 0; i < ours.size(); ++i) {
    if (taken[i] || listed.Take("extra", ours[i]["rule"])) continue;
    out.push_back("extra: " + ours[i]["rule"].get<std::string>() + ": " +
                  ours[i]["output"].get<std::string>());
  }
  listed.ReportUnused(out);
  return out;
}

}  // namespace gyrfalcon::testing
