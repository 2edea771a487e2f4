// toml++ stays in this file, and throws nothing.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/toml_dots.h"
#include "runsc/policy.h"

// toml++ 3.3 asserts what its next lines check anyway (that a key follows on `[`), and with NDEBUG
// lets clang assume it: neither is for texts from outside.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace gyrfalcon {
namespace {

constexpr std::string_view kIntercept = "intercept_syscalls";
constexpr std::string_view kAllowlist = "syscall_allowlist";
constexpr std::array<std::string_view, 2> kKeys = {kIntercept, kAllowlist};
constexpr size_t kNameBytesMax = 128;  // no system call's is longer than 28

std::string_view Kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

bool IsControl(char byte) {
  return (byte >= 0 && byte < ' ') || byte == '\x7f';
}

// How many bytes the UTF-8 character has that `text` begins with; 0: it is none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t size = byte(0) < 0x80   ? 1
                      : byte(0) < 0xc2 ? 0
                      : byte(0) < 0xe0 ? 2
                      : byte(0) < 0xf0 ? 3
                      : byte(0) < 0xf5 ? 4
                                       : 0;
  if (size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

struct Ascii {
  std::string text;
  std::string error;  // "LINE:COLUMN: …" of the first byte that is no UTF-8; empty: none is
};

// With `?` for each character beyond ASCII. No system call has one, and toml++ 3.3 runs into
// __builtin_unreachable when it asks whether one is a blank.
Ascii WithoutOtherCharacters(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Ascii out;
  size_t line = 1;
  size_t line_begin = 0;
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    if (size == 0) {
      out.error = fmt::format("{}:{}: not TOML: a byte that is no UTF-8", line,
                              out.text.size() - line_begin + 1);
      return out;
    }
    out.text += size == 1 ? text.front() : '?';
    if (text.front() == '\n') {
      ++line;
      line_begin = out.text.size();
    }
    text.remove_prefix(size);
  }
  return out;
}

class Reader {
 public:
  explicit Reader(const std::string& path) { policy_.path = path; }

  Result<VisibilityPolicy> Read(const toml::table& table) {
    for (const auto& [key, value] : table) ReadKey(key, value);
    CheckWhole();
    if (problems_.empty()) return std::move(policy_);
    if (untold_ > 0) problems_.push_back(fmt::format("… and {} more", untold_));
    return Fail(Fault::kInput, Join(problems_, "\n"));
  }

 private:
  std::string At(toml::source_position place, std::string_view what) const {
    return fmt::format("{}:{}:{}: {}", policy_.path, place.line, place.column, what);
  }
  void AddProblem(const toml::node& node, std::string_view what) {
    if (problems_.size() == kPolicyProblemsMax) {
      ++untold_;
    } else {
      problems_.push_back(At(node.source().begin, what));
    }
  }
  void Warn(toml::source_position place, std::string_view what) {
    if (policy_.warnings.size() < kPolicyProblemsMax) policy_.warnings.push_back(At(place, what));
  }

  void ReadKey(const toml::key& key, const toml::node& value) {
    if (key == kIntercept) {
      ReadIntercept(value);
    } else if (key == kAllowlist) {
      ReadAllowlist(value);
    } else {
      const auto nearest = NearestWord(key.str(), kKeys);
      Warn(key.source().begin, fmt::format("unknown key `{}`{}: it is left out", Shown(key.str()),
                                           nearest ? fmt::format("; did you mean `{}`?", *nearest)
                                                   : fmt::format("; a policy has `{}` and `{}`",
                                                                 kIntercept, kAllowlist)));
    }
  }

  void ReadIntercept(const toml::node& value) {
    const auto on = value.value_exact<bool>();
    if (!on) {
      AddProblem(value, fmt::format("`{}` is {}; write true or false", kIntercept, Kind(value)));
      return;
    }
    policy_.intercept = *on;
    if (!*on) {
      Warn(value.source().begin,
           fmt::format("`{}` is false: only what keeps the state true is asked for, and the list "
                       "has no effect",
                       kIntercept));
    }
  }

  void ReadAllowlist(const toml::node& value) {
    has_list_ = true;
    const toml::array* list = value.as_array();
    if (list == nullptr) {
      AddProblem(value, fmt::format("`{}` is {}; write a list: {} = [\"execve\", \"openat\"]",
                                    kAllowlist, Kind(value), kAllowlist));
      return;
    }
    if (list->empty()) {
      Warn(value.source().begin, fmt::format("`{}` is empty: only what keeps the state true is "
                                             "asked for",
                                             kAllowlist));
    }
    for (const toml::node& node : *list) {
      if (!ReadName(node)) return;
    }
  }

  // False: no more of them.
  bool ReadName(const toml::node& node) {
    const toml::value<std::string>* text = node.as_string();
    if (text == nullptr) {
      AddProblem(node, fmt::format("{} in `{}`; write each system call's name in quotes, as "
                                   "\"openat\"",
                                   Kind(node), kAllowlist));
      return true;
    }
    const std::string& name = text->get();
    if (name.empty() || name.size() > kNameBytesMax) {
      AddProblem(node, fmt::format("a name of {} bytes; a system call's has 1 to {}", name.size(),
                                   kNameBytesMax));
      return true;
    }
    if (std::ranges::any_of(name, IsControl)) {
      AddProblem(node, "a name with a control character in it; a system call's has none");
      return true;
    }
    if (policy_.allowlist.size() == kPolicyNamesMax) {
      AddProblem(node,
                 fmt::format("more than {} names; there are fewer than 500 system calls: take "
                             "the repeats out",
                             kPolicyNamesMax));
      return false;
    }
    policy_.allowlist.push_back({name, node.source().begin.line, node.source().begin.column});
    return true;
  }

  void CheckWhole() {
    if (has_list_ || !policy_.intercept) return;
    problems_.push_back(
        fmt::format("{}:1:1: no `{}`; write {} = [\"execve\", \"openat\"], or "
                    "{} = false",
                    policy_.path, kAllowlist, kAllowlist, kIntercept));
  }

  static std::string Shown(std::string_view key) {
    std::string out(key.substr(0, kNameBytesMax));
    std::ranges::replace_if(out, IsControl, '?');
    return out;
  }

  VisibilityPolicy policy_;
  std::vector<std::string> problems_;
  size_t untold_ = 0;
  bool has_list_ = false;
};

}  // namespace

Result<VisibilityPolicy> ReadPolicy(const std::string& path, const std::string& text) {
  if (text.size() > kPolicyBytesMax) {
    return Fail(Fault::kInput,
                fmt::format("{}:1:1: larger than {} bytes; a policy with each system "
                            "call once has 10,000",
                            path, kPolicyBytesMax));
  }
  const Ascii ascii = WithoutOtherCharacters(text);
  if (!ascii.error.empty()) return Fail(Fault::kInput, path + ":" + ascii.error);
  if (const auto line = FirstLineOfManyDots(ascii.text)) {
    return Fail(Fault::kInput,
                fmt::format("{}:{}:1: more than {} dots in a line; the keys here have none", path,
                            *line, kTomlDotsMax));
  }
  const toml::parse_result parsed = toml::parse(std::string_view(ascii.text), std::string_view());
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    const toml::source_position place = error.source().begin;
    return Fail(Fault::kInput, fmt::format("{}:{}:{}: not TOML: {}", path, place.line, place.column,
                                           error.description()));
  }
  return Reader(path).Read(parsed.table());
}

}  // namespace gyrfalcon
