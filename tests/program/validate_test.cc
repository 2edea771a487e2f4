// The program itself, `-V` with JSON and as text, over the files of Falco's own tests: standard
// output and exit code are Falco's.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "base/test_folder.h"
#include "rules/recordings.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class Scratch {
 public:
  void Write(const std::string& name, const std::string& text) const { folder_.Write(name, text); }

  // Runs the program in the folder.
  Outcome Run(const std::string& arguments) const {
    const char* program = std::getenv("GYRFALCON");
    const std::string command = "cd '" + folder_.path() + "' && '" + std::string(program) + "' " +
                                arguments + " >stdout 2>stderr </dev/null";
    const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
    return {WEXITSTATUS(status), folder_.Read("stdout"), folder_.Read("stderr")};
  }

 private:
  const TestFolder folder_;
};

// The names are the recording's own; nothing in them needs more than single quotes.
std::string Arguments(const Json& files) {
  std::string out;
  for (const Json& file : files) out += " -V '" + file.at("name").get<std::string>() + "'";
  return out;
}

void CheckProgram(Recording& recording, const std::string& id, const Json& files,
                  const Json& results, const Json& text, int code) {
  const Scratch scratch;
  for (const Json& file : files) {
    const std::string content =
        file.contains("content")
            ? file.at("content").get<std::string>()
            : RecordedText(
                  RecordedPath("conformance/" + file.at("content_file").get<std::string>()));
    scratch.Write(file.at("name"), content);
  }
  const Outcome json = scratch.Run("-o json_output=true" + Arguments(files));
  ASSERT_TRUE(Json::accept(json.out)) << id << json.out << json.err;
  recording.Check(id, Json::parse(json.out).at("falco_load_results").dump(), results.dump());
  recording.Check(id, std::to_string(json.code), std::to_string(code));
  if (!text.is_string()) return;
  const Outcome plain = scratch.Run(Arguments(files));
  recording.Check(id, plain.out, text.get<std::string>());
  recording.Check(id, std::to_string(plain.code), std::to_string(code));
}

TEST(Validate, FalcosecurityTesting) {
  Recording recording("falco-testing");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    if (test.at("mode") != "validate") continue;
    const Json& oracle = test.at("oracle");
    CheckProgram(recording, test.at("id"), test.at("rules_files"), oracle.at("load_results"),
                 oracle.value("text_stdout", Json()), oracle.at("rc"));
  }
}

TEST(Validate, Probes) {
  Recording recording("rule-load-probes");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    CheckProgram(recording, test.at("id"), test.at("files"), test.at("load_results"),
                 test.at("text_stdout"), test.at("rc"));
  }
}

TEST(Validate, TellsAllProblemsBesideFalcosFirst) {
  const Scratch scratch;
  scratch.Write("a.yaml",
                "- rule: Start\n  desc: two mistakes\n  condition: evt.type = execve and "
                "proc.nam = x\n  output: x\n  priority: INFOO\n");
  const Outcome json = scratch.Run("-o json_output=true -V a.yaml");
  EXPECT_EQ(json.code, 1);
  const Json out = Json::parse(json.out);
  EXPECT_EQ(out.at("falco_load_results").at(0).at("errors").size(), 1u);
  const Json& diagnostics = out.at("gyrfalcon_diagnostics");
  ASSERT_GE(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics.at(0).at("file"), "a.yaml");
  EXPECT_GE(diagnostics.at(0).at("line").get<int>(), 1);
  EXPECT_GE(diagnostics.at(0).at("column").get<int>(), 1);
}

TEST(Validate, DescribesWhatIsValid) {
  const Scratch scratch;
  scratch.Write(
      "a.yaml",
      "- rule: Start\n  desc: a program starts\n  condition: evt.type = execve\n  output: "
      "x\n  priority: INFO\n");
  const Outcome json = scratch.Run("-o json_output=true -V a.yaml -L");
  ASSERT_EQ(json.code, 0) << json.err;
  const Json described = Json::parse(json.out).at("falco_describe_results");
  EXPECT_EQ(described.at("rules").at(0).at("info").at("name"), "Start");
  EXPECT_EQ(described.at("required_engine_version"), "0.0.0");
  const Outcome text = scratch.Run("-V a.yaml -l Start");
  EXPECT_EQ(text.out, "a.yaml: Ok\n\nRule" + std::string(47, ' ') + "Description\n----" +
                          std::string(47, ' ') + "-----------\nStart" + std::string(46, ' ') +
                          "a program starts \n\n");
  const Outcome none = scratch.Run("-r a.yaml -l Nothing");
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_NE(none.err.find("Rule \"Nothing\" is not loaded"), std::string::npos) << none.err;
}

}  // namespace
}  // namespace gyrfalcon
