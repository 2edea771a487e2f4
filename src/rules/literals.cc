#include "rules/literals.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include <netdb.h>

#include "base/text.h"
#include "points/event_types.h"

namespace gyrfalcon {
namespace {

using Outcome = std::expected<void, LiteralError>;

std::unexpected<LiteralError> Refuse(std::string message, std::string suggestion = {}) {
  return std::unexpected(LiteralError{std::move(message), std::move(suggestion)});
}

struct Service {
  std::string_view name;
  uint16_t port;
};

// The common ones, so that rules load alike on a machine without /etc/services.
constexpr std::array<Service, 27> kServices = {{{"ftp-data", 20},
                                                {"ftp", 21},
                                                {"ssh", 22},
                                                {"telnet", 23},
                                                {"smtp", 25},
                                                {"domain", 53},
                                                {"bootps", 67},
                                                {"bootpc", 68},
                                                {"tftp", 69},
                                                {"http", 80},
                                                {"kerberos", 88},
                                                {"pop3", 110},
                                                {"sunrpc", 111},
                                                {"ntp", 123},
                                                {"imap2", 143},
                                                {"snmp", 161},
                                                {"ldap", 389},
                                                {"https", 443},
                                                {"microsoft-ds", 445},
                                                {"syslog", 514},
                                                {"ldaps", 636},
                                                {"imaps", 993},
                                                {"pop3s", 995},
                                                {"mysql", 3306},
                                                {"ms-wbt-server", 3389},
                                                {"postgresql", 5432},
                                                {"http-alt", 8080}}};

std::optional<uint16_t> FindService(const std::string& name) {
  const auto found = std::ranges::find(kServices, name, &Service::name);
  if (found != kServices.end()) return found->port;
  const servent* entry = getservbyname(name.c_str(), nullptr);  // load time, one thread
  if (entry == nullptr) return std::nullopt;
  return static_cast<uint16_t>(__builtin_bswap16(static_cast<uint16_t>(entry->s_port)));
}

bool IsWholeNumber(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// A whole number of any size; one that fits no integer becomes a double and still compares rightly.
std::optional<Value> ParseNumber(std::string_view text) {
  if (!IsWholeNumber(text)) return std::nullopt;
  if (const auto value = ParseInt(text)) return Value::Int(*value);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (const auto value = ParseUint(text)) return Value::Uint(*value);
  return Value::Double(std::strtod(std::string(text).c_str(), nullptr));
}

Outcome AddNumber(std::string_view text, BoundCheck& check) {
  const std::optional<Value> number = ParseNumber(text);
  if (!number) return Refuse(std::string(text) + " is not a valid number");
  check.literals.push_back(*number);
  return {};
}

Outcome AddDouble(std::string_view text, BoundCheck& check) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || end != copy.c_str() + copy.size()) {
    return Refuse(copy + " is not a valid number");
  }
  check.literals.push_back(Value::Double(value));
  return {};
}

Outcome AddBool(std::string_view text, BoundCheck& check) {
  if (text != "true" && text != "false") {
    return Refuse("filter error: unrecognized boolean value " + std::string(text),
                  "write 'true' or 'false'");
  }
  check.literals.push_back(Value::Bool(text == "true"));
  return {};
}

Outcome AddPort(std::string_view text, BoundCheck& check) {
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') return AddNumber(text, check);
  const std::optional<uint16_t> port = FindService(std::string(text));
  if (!port) return Refuse("unrecognized protocol " + std::string(text));
  check.literals.push_back(Value::Uint(*port));
  return {};
}

Outcome AddAddress(std::string_view text, BoundCheck& check) {
  const std::optional<IpAddress> address = IpAddress::Parse(text);
  if (!address) {
    // Falco takes what has a dot for IPv4.
    const bool v4 = text.contains('.') && !text.contains(':');
    return Refuse(std::string("unrecognized ") + (v4 ? "IPv4" : "IPv6") + " address " +
                  std::string(text));
  }
  check.literals.push_back(Value::Ip(check.addresses.emplace_back(*address)));
  return {};
}

Outcome AddNetwork(std::string_view text, BoundCheck& check) {
  const size_t slash = text.find('/');
  const std::string unrecognized = "unrecognized IP network " + std::string(text);
  if (slash == std::string_view::npos) return Refuse(unrecognized, "add a prefix length: /32");
  const std::optional<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return Refuse(unrecognized);
  const std::optional<uint64_t> bits = ParseUint(text.substr(slash + 1));
  if (!bits || *bits > (address->is_v6 ? 128u : 32u)) {
    return Refuse("invalid netmask " + std::string(text.substr(slash + 1)));
  }
  check.networks.push_back({*address, static_cast<uint8_t>(*bits)});
  return {};
}

Outcome AddRegex(std::string_view pattern, BoundCheck& check) {
  re2::RE2::Options options(re2::RE2::POSIX);
  options.set_log_errors(false);
  options.set_max_mem(kRegexBytesMax);
  auto regex =
      std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    const bool too_large = regex->error_code() == re2::RE2::ErrorPatternTooLarge;
    return Refuse("invalid regex pattern: " + regex->error(),
                  too_large ? "write a shorter one, or one with fewer repetitions" : "");
  }
  check.regexes.push_back(std::move(regex));
  return {};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Outcome AddHexBytes(std::string_view text, BoundCheck& check) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
    if (high < 0 || low < 0) {
      return Refuse("filter error: bcontains and bstartswith operator support hex strings only");
    }
    bytes += static_cast<char>(high * 16 + low);
  }
  check.literals.push_back(Value::Text(check.texts.emplace_back(std::move(bytes))));
  return {};
}

Outcome AddText(std::string_view text, BoundCheck& check) {
  if (check.op == Operator::kBcontains || check.op == Operator::kBstartswith) {
    return AddHexBytes(text, check);
  }
  if (text.contains('\0')) {
    return Refuse("filter error: filter value cannot contain a NUL byte (\\x00)");
  }
  const bool is_pattern = check.op == Operator::kGlob || check.op == Operator::kIglob ||
                          check.op == Operator::kPmatch || check.op == Operator::kIcontains;
  if (is_pattern && text.size() > kPatternMax) {
    return Refuse("filter error: a value of '" + std::string(Describe(check.op).text) +
                  "' is longer than " + std::to_string(kPatternMax) + " characters");
  }
  if (check.op == Operator::kRegex) {
    if (Outcome outcome = AddRegex(text, check); !outcome) return outcome;
  }
  check.literals.push_back(Value::Text(check.texts.emplace_back(text)));
  return {};
}

Outcome AddEventType(std::string_view text, BoundCheck& check) {
  if (!FindEventType(text)) {
    std::vector<std::string_view> names;
    for (const EventTypeDef& def : EventTypes()) names.push_back(def.name);
    const auto nearest = NearestWord(text, names);
    return Refuse("unknown event type " + std::string(text),
                  nearest ? "did you mean '" + std::string(*nearest) + "'?" : std::string());
  }
  return AddText(text, check);
}

}  // namespace

void ReserveLiterals(size_t count, BoundCheck& check) {
  switch (check.left.type) {
    case FieldType::kNet:
      check.networks.reserve(count);
      return;
    case FieldType::kIp:
      check.addresses.reserve(count);
      break;
    case FieldType::kText:
    case FieldType::kBytes:
    case FieldType::kEventType:
    case FieldType::kOpaque:
      check.texts.reserve(count);
      break;
    default:
      break;
  }
  check.literals.reserve(count);
}

Outcome AddLiteral(std::string_view text, BoundCheck& check) {
  switch (check.left.type) {
    case FieldType::kBool:
      return AddBool(text, check);
    case FieldType::kInt:
    case FieldType::kUint:
    case FieldType::kDistance:
      return AddNumber(text, check);
    case FieldType::kDouble:
      return AddDouble(text, check);
    case FieldType::kPort:
      return AddPort(text, check);
    case FieldType::kIp:
      return AddAddress(text, check);
    case FieldType::kNet:
      return AddNetwork(text, check);
    case FieldType::kEventType:
      return AddEventType(text, check);
    case FieldType::kText:
    case FieldType::kBytes:
    case FieldType::kOpaque:
      return AddText(text, check);
  }
  return {};
}

}  // namespace gyrfalcon
