// gyrfalcon.pipe.*: who is at the other end of the pipes that a program was started with, as it was
// at that moment (pipe_proc_info of sentry/execve).
#include <algorithm>

#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Side = PipePeer PipePeers::*;

template <Side side, Value (*extract)(const PipePeer&, Scratch&)>
Value OfPeer(const BoundField&, const Happening& h, Scratch& scratch) {
  const PipePeers* pipes = h.process->pipes.get();
  if (pipes == nullptr || (pipes->*side).tgid == 0) return {};
  return extract(pipes->*side, scratch);
}

Value TextOrMissing(std::string_view text) {
  return text.empty() ? Value() : Value::Text(text);
}

Value Pid(const PipePeer& peer, Scratch&) {
  return Value::Int(peer.tgid);
}
Value PeerName(const PipePeer& peer, Scratch&) {
  return TextOrMissing(peer.name.view());
}
Value Exe(const PipePeer& peer, Scratch&) {
  return peer.image ? TextOrMissing(peer.image->exe) : Value();
}
Value ExePath(const PipePeer& peer, Scratch&) {
  return peer.image ? TextOrMissing(peer.image->exe_path) : Value();
}
Value CommandLine(const PipePeer& peer, Scratch& scratch) {
  if (!peer.image) return {};
  const std::string_view name = peer.started_as.empty() ? peer.name.view() : peer.started_as.view();
  const std::string_view args = peer.image->args.joined();
  if (args.empty()) return TextOrMissing(name);
  const std::span<char> out = scratch.Chars(name.size() + 1 + args.size());
  std::ranges::copy(name, out.begin());
  out[name.size()] = ' ';
  std::ranges::copy(args, out.begin() + static_cast<std::ptrdiff_t>(name.size()) + 1);
  return Value::Text({out.data(), out.size()});
}

constexpr Side kIn = &PipePeers::input;
constexpr Side kOut = &PipePeers::output;

constexpr FieldDef PeerField(std::string_view name, FieldType type, Extractor extract,
                             std::string_view help) {
  return OwnField(name, type, extract, help, Availability::kPartial);
}

constexpr FieldDef kRows[] = {
    PeerField(
        "gyrfalcon.pipe.in.cmdline", FieldType::kText, OfPeer<kIn, CommandLine>,
        "Name and arguments of the process that writes into the pipe at standard input, as it "
        "was when this program started. Newer runsc; not in Falco."),
    PeerField("gyrfalcon.pipe.in.exe", FieldType::kText, OfPeer<kIn, Exe>,
              "argv[0] of the process that writes into the pipe at standard input. Not in Falco."),
    PeerField("gyrfalcon.pipe.in.exepath", FieldType::kText, OfPeer<kIn, ExePath>,
              "Path of the program that writes into the pipe at standard input. Not in Falco."),
    PeerField("gyrfalcon.pipe.in.name", FieldType::kText, OfPeer<kIn, PeerName>,
              "Name of the process that writes into the pipe at standard input: curl in `curl … | "
              "sh`. A part of a pipeline that starts later still has the shell's name. Not in "
              "Falco."),
    PeerField("gyrfalcon.pipe.in.pid", FieldType::kInt, OfPeer<kIn, Pid>,
              "Process id of who writes into the pipe at standard input. Not in Falco."),
    PeerField("gyrfalcon.pipe.out.cmdline", FieldType::kText, OfPeer<kOut, CommandLine>,
              "Name and arguments of the process that reads the pipe at standard output, as it was "
              "when this program started. Newer runsc; not in Falco."),
    PeerField("gyrfalcon.pipe.out.exe", FieldType::kText, OfPeer<kOut, Exe>,
              "argv[0] of the process that reads the pipe at standard output. Not in Falco."),
    PeerField("gyrfalcon.pipe.out.exepath", FieldType::kText, OfPeer<kOut, ExePath>,
              "Path of the program that reads the pipe at standard output. Not in Falco."),
    PeerField("gyrfalcon.pipe.out.name", FieldType::kText, OfPeer<kOut, PeerName>,
              "Name of the process that reads the pipe at standard output. Not in Falco."),
    PeerField("gyrfalcon.pipe.out.pid", FieldType::kInt, OfPeer<kOut, Pid>,
              "Process id of who reads the pipe at standard output. Not in Falco."),
};

}  // namespace

std::span<const FieldDef> PipeFields() {
  return kRows;
}

}  // namespace gyrfalcon
