#include "channels/http_options.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "alerts/alert_format.h"

namespace gyrfalcon {
namespace {

// What a URL may tell of itself.
struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string out = text;
  curl_free(text);
  return out;
}

struct Place {
  std::string text;  // "https://host:8080"
  bool is_tls = false;
};

Result<Place> PlaceOf(const std::string& text) {
  if (text.empty()) return Fail(Fault::kInput, "http_output is enabled without an http_output.url");
  const std::unique_ptr<CURLU, UrlDeleter> url(curl_url());
  const CURLUcode parsed = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_GUESS_SCHEME);
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  const std::string host = UrlPart(url.get(), CURLUPART_HOST);
  const bool is_tls = scheme == "https";
  if (parsed != CURLUE_OK || (scheme != "http" && !is_tls) || host.empty()) {
    return Fail(Fault::kInput,
                "http_output.url is no URL of http: or https: (it is not shown here, it may hold a "
                "secret)");
  }
  const std::string port = UrlPart(url.get(), CURLUPART_PORT);
  return Place{fmt::format("{}://{}{}{}", scheme, Printable(host), port.empty() ? "" : ":", port),
               is_tls};
}

bool IsHeaderName(std::string_view name) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.contains(c);
  });
}

bool HasControls(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    constexpr unsigned char kDelete = 0x7f;
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == kDelete;
  });
}

Result<void> CheckHeaders(const HttpOptions& options) {
  if (HasControls(options.user_agent)) {
    return Fail(Fault::kInput, "http_output.user_agent has a control character");
  }
  for (const auto& [name, value] : options.headers) {
    if (!IsHeaderName(name)) {
      return Fail(Fault::kInput,
                  fmt::format("http_output.headers: `{}` is no name of a header", Printable(name)));
    }
    if (HasControls(value)) {
      return Fail(Fault::kInput,
                  fmt::format("http_output.headers.{}: a control character in its value", name));
    }
  }
  return {};
}

// A file that is missing would else be an error of each POST.
Result<void> CheckFiles(const HttpOptions& options) {
  const std::pair<std::string_view, const std::string*> files[] = {
      {"ca_cert", options.insecure ? nullptr : &options.ca_cert},
      {"ca_bundle", options.insecure ? nullptr : &options.ca_bundle},
      {"client_cert", options.mtls ? &options.client_cert : nullptr},
      {"client_key", options.mtls ? &options.client_key : nullptr},
  };
  for (const auto& [key, path] : files) {
    if (path == nullptr || path->empty()) continue;
    if (access(path->c_str(), R_OK) != 0) {
      return Fail(Fault::kEnvironment,
                  fmt::format("http_output.{}: cannot read {}: {}", key, *path, ErrnoText(errno)));
    }
  }
  return {};
}

}  // namespace

Result<std::string> CheckHttpOptions(const HttpOptions& options) {
  auto place = PlaceOf(options.url);
  if (!place) return std::unexpected(place.error());
  if (const auto checked = CheckHeaders(options); !checked) return std::unexpected(checked.error());
  if (const auto checked = CheckFiles(options); place->is_tls && !checked) {
    return std::unexpected(checked.error());
  }
  return std::move(place->text);
}

}  // namespace gyrfalcon
