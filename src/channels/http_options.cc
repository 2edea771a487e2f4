#include "channels/http_options.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "alerts/alert_format.h"
#include "base/curl_library.h"

namespace gyrfalcon {
namespace {

// What a URL may tell of itself.
struct UrlDeleter {
  void operator()(CURLU* url) const { Curl().url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (Curl().url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string out = text;
  Curl().free(text);
  return out;
}

struct Place {
  std::string text;  // "https://host:8080"
  bool is_tls = false;
};

Result<Place> PlaceOf(const std::string& text) {
  if (text.empty()) return Fail(Fault::kInput, "http_output is enabled without an http_output.url");
  if (const auto loaded = LoadCurl(); !loaded) return std::unexpected(loaded.error());
  const std::unique_ptr<CURLU, UrlDeleter> url(Curl().url());
  const CURLUcode parsed =
      Curl().url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_GUESS_SCHEME);
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  const std::string host = UrlPart(url.get(), CURLUPART_HOST);
  const bool is_tls = scheme == "https";
  if (parsed != CURLUE_OK || (scheme != "http" && !is_tls) || host.empty()) {
    return Fail(Fault::kInput,
                "http_output.url is no URL of http: or https: (it is not shown here, it may hold a "
                "secret)");
  }
  const std::string port = UrlPart(url.get(), CURLUPART_PORT);
  // curl would take any word for a host.
  if (!text.contains("://") && port.empty() && !host.contains('.')) {
    return Fail(Fault::kInput,
                "http_output.url has neither http:// or https:// in front nor a port, so it may be "
                "no URL at all: write http://HOST:PORT/PATH");
  }
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

// What of PEM a file must hold.
constexpr std::string_view kCertificate = "CERTIFICATE-----";
constexpr std::string_view kKey = "PRIVATE KEY-----";

Result<void> CheckPem(std::string_view key, const std::string& path, std::string_view what) {
  constexpr size_t kBytesMax = size_t{16} << 20;
  const auto unread = [&](int error_number) {
    return Fail(Fault::kEnvironment, fmt::format("http_output.{}: cannot read {}: {}", key, path,
                                                 ErrnoText(error_number)));
  };
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return unread(errno);
  if (S_ISDIR(status.st_mode)) return unread(EISDIR);
  std::ifstream file(path, std::ios::binary);
  if (!file) return unread(errno);
  std::string block(64 * 1024, '\0');
  std::string text;
  while (
      text.size() < kBytesMax &&
      (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0)) {
    text.append(block, 0, static_cast<size_t>(file.gcount()));
    if (text.find(what) != std::string::npos && text.contains("-----BEGIN ")) return {};
  }
  return Fail(Fault::kEnvironment,
              fmt::format("http_output.{}: {} holds no {} in PEM form (-----BEGIN …{})", key, path,
                          what == kKey ? "private key" : "certificate", what));
}

// What is missing or no certificate would else be an error of each POST.
Result<void> CheckFiles(const HttpOptions& options) {
  const struct {
    std::string_view key;
    const std::string* path;
    std::string_view what;
  } kFiles[] = {
      {"ca_cert", options.insecure ? nullptr : &options.ca_cert, kCertificate},
      {"ca_bundle", options.insecure ? nullptr : &options.ca_bundle, kCertificate},
      {"client_cert", options.mtls ? &options.client_cert : nullptr, kCertificate},
      {"client_key", options.mtls ? &options.client_key : nullptr, kKey},
  };
  for (const auto& [key, path, what] : kFiles) {
    if (path == nullptr || path->empty()) continue;
    if (const auto checked = CheckPem(key, *path, what); !checked) return checked;
  }
  // The default is not used as it stands, but left to libcurl.
  const bool is_path_used = !options.insecure && options.ca_cert.empty() &&
                            options.ca_bundle.empty() && options.ca_path != HttpOptions().ca_path;
  std::error_code error;
  if (is_path_used && !std::filesystem::is_directory(options.ca_path, error)) {
    return Fail(Fault::kEnvironment,
                fmt::format("http_output.ca_path: {} is no folder that can be read: it names one "
                            "with certificates, as c_rehash makes it",
                            options.ca_path));
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
