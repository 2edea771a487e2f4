#include "engine/metadata_lookup.h"

#include <utility>

#include <unistd.h>

#include "metadata/cri.h"
#include "metadata/docker.h"
#include "metadata/oci_spec.h"
#include "runsc/roots.h"

namespace gyrfalcon {
namespace {

void Answered(const MetadataLookup::Answer& answer, ContainerInfo info, bool is_final) {
  answer({.info = std::make_shared<const ContainerInfo>(std::move(info)), .is_final = is_final});
}

void AnsweredNothing(const MetadataLookup::Answer& answer) {
  answer({.info = nullptr, .is_final = true});
}

// containerd's namespace of Docker's containers is the last part of their root.
bool IsDockers(const SandboxPlace& place) {
  return place.state_root.ends_with("/moby");
}

bool LooksLikeEnginesId(std::string_view id) {
  constexpr size_t kDigestLength = 64;
  return id.size() == kDigestLength &&
         id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Of a sandbox of which no command line tells: it goes by its first container.
Result<SpecInfo> FindSpec(const std::vector<std::string>& roots, bool usual,
                          const std::string& container_id) {
  std::vector<std::string> all = roots;
  if (usual) {
    for (std::string& root : UsualRoots()) all.push_back(std::move(root));
  }
  for (const std::string& root : all) {
    auto spec =
        ReadSpecInfo({.state_root = root, .sandbox_id = container_id, .bundle = ""}, container_id);
    if (!spec) continue;
    if (root.ends_with("/moby")) spec->info.type = "docker";
    return spec;
  }
  return Fail(Fault::kInput, "no state of " + container_id);
}

bool IsThere(const std::string& socket) {
  return !socket.empty() && ::access(socket.c_str(), F_OK) == 0;
}

}  // namespace

MetadataLookup::MetadataLookup(MetadataOptions options)
    : options_(std::move(options)), files_(options_.files) {}

// The files' thread first: it makes the others.
void MetadataLookup::Stop() {
  files_.Stop();
  for (Daemon* daemon : {&docker_, &cri_}) {
    if (daemon->thread) daemon->thread->Stop();
  }
}

bool MetadataLookup::Ask(SandboxPlace place, std::string container_id, Answer answer) {
  if (!IsContainerId(container_id)) return false;
  if (place.known() && !IsContainerId(place.sandbox_id)) return false;
  Question question{std::move(place), std::move(container_id), std::move(answer),
                    options_.files.tries};
  return files_.Ask(
      [this, question = std::move(question)]() mutable { return LookAtFiles(question); });
}

// False: not to be known yet.
bool MetadataLookup::LookAtFiles(Question& question) {
  const SandboxPlace& place = question.place;
  auto spec = place.known() ? ReadSpecInfo(place, question.container_id)
                            : FindSpec(options_.roots, options_.usual_roots, question.container_id);
  if (!spec) {
    if (AskDaemonsUnseen(question)) return true;
    if (place.known() && --question.tries_left > 0) return false;
    AnsweredNothing(question.answer);
    return true;
  }
  ContainerInfo& info = spec->info;
  const bool is_dockers = IsDockers(place) || !spec->docker_folder.empty() || info.type == "docker";
  if (is_dockers && info.type.empty()) info.type = "docker";
  if (!spec->docker_folder.empty()) {
    if (auto docker = ReadDockerFolder(spec->docker_folder, question.container_id)) {
      AddDocker(*std::move(docker), info);
      Answered(question.answer, std::move(info), true);
      return true;
    }
  }
  const bool is_kubernetes = info.type == "containerd" || info.type == "cri-o";
  if (is_dockers && !is_kubernetes && AskDockerOf(question, info)) return true;
  if (is_kubernetes && AskCriOf(question, info)) return true;
  Answered(question.answer, std::move(info), true);
  return true;
}

// Where files are out of reach: another mount namespace, or no right to read them.
bool MetadataLookup::AskDaemonsUnseen(const Question& question) {
  const SandboxPlace& place = question.place;
  // A container of Docker's is a sandbox of its own: an id that a sandbox tells beside its own is
  // not looked up there, for it would be somebody else's.
  const bool may_be_dockers = place.known()
                                  ? IsDockers(place) && place.sandbox_id == question.container_id
                                  : LooksLikeEnginesId(question.container_id);
  if (may_be_dockers && AskDockerOf(question, {})) return true;
  if (!place.known() || IsDockers(place)) return false;
  ContainerInfo known;
  known.pod_sandbox_id = place.sandbox_id;
  known.is_pod_sandbox = place.sandbox_id == question.container_id;
  return question.tries_left <= 1 && AskCriOf(question, known);
}

// False: it is not asked, and nothing was answered; as the next.
bool MetadataLookup::AskDockerOf(const Question& question, const ContainerInfo& known) {
  if (!IsThere(options_.docker_socket)) return false;
  return HandTo(docker_, [this, question, known] {
    auto docker =
        AskDocker(options_.docker_socket, question.container_id, options_.call_timeout_ms);
    NoteCall(docker_, docker ? nullptr : &docker.error());
    if (docker) {
      ContainerInfo info = known;
      AddDocker(*std::move(docker), info);
      Answered(question.answer, std::move(info), true);
    } else if (known.type.empty()) {
      AnsweredNothing(question.answer);
    } else {
      Answered(question.answer, known, true);
    }
    return true;
  });
}

// What the spec has told goes ahead. A pod's own container is not known to the runtime before the
// pod has started: nobody waits for that.
bool MetadataLookup::AskCriOf(const Question& question, const ContainerInfo& known) {
  if (!IsThere(options_.cri_socket)) return false;
  const bool is_handed =
      HandTo(cri_, [this, question, known, tries_left = options_.daemons.tries]() mutable {
        ContainerInfo info = known;
        const auto asked =
            AddCri(options_.cri_socket, question.container_id, options_.call_timeout_ms, info);
        NoteCall(cri_, asked ? nullptr : &asked.error());
        const bool is_last = --tries_left == 0;
        if (asked || is_last) Answered(question.answer, std::move(info), true);
        return asked.has_value() || is_last;
      });
  if (is_handed) Answered(question.answer, known, known.is_pod_sandbox);
  return is_handed;
}

bool MetadataLookup::HandTo(Daemon& daemon, LookupThread::Question question) {
  if (!daemon.thread) daemon.thread = std::make_unique<LookupThread>(options_.daemons);
  return daemon.thread->Ask(std::move(question));
}

// That it does not know a container is no failure of the daemon's.
void MetadataLookup::NoteCall(Daemon& daemon, const Error* error) {
  const bool failed = error != nullptr && error->fault == Fault::kEnvironment;
  if (failed && !daemon.is_failing.exchange(true)) options_.on_problem(*error);
  if (!failed) daemon.is_failing = false;
}

}  // namespace gyrfalcon
