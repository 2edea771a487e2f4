#include "metadata/kube_api.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "metadata/kube_pods.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {
namespace {

constexpr size_t kTokenBytesMax = 64 * 1024;
constexpr size_t kProblemBytesMax = 16 * 1024;
constexpr long kConnectTimeoutMs = 10'000;
constexpr long kKeepAliveS = 30;  // so an end that nobody told of is seen within some minutes
constexpr long kHttpOk = 200;

struct Reading {
  CURL* easy;
  const KubeRequest& request;
  const KubeApi::Take& take;
  std::string problem;  // of an answer that is none
  bool has_enough = false;
};

long StatusOf(CURL* easy) {
  long status = 0;
  Curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// The last one is empty.
size_t TakeHeader(char* data, size_t size, size_t count, void* into) {
  const auto& reading = *static_cast<Reading*>(into);
  const bool is_last = std::string_view(data, size * count) == "\r\n";
  if (is_last && StatusOf(reading.easy) == kHttpOk && reading.request.on_begin) {
    reading.request.on_begin();
  }
  return size * count;
}

size_t TakeBody(char* data, size_t size, size_t count, void* into) {
  auto& reading = *static_cast<Reading*>(into);
  const std::string_view piece(data, size * count);
  if (StatusOf(reading.easy) != kHttpOk) {
    reading.problem += piece.substr(0, kProblemBytesMax - reading.problem.size());
    return piece.size();
  }
  reading.has_enough = !reading.take(piece);
  return reading.has_enough ? 0 : piece.size();
}

// Where it has a line's end in it, it would be a header of its own.
Result<std::string> ReadToken(const std::string& path) {
  auto text = ReadHostFile(path, kTokenBytesMax);
  if (!text)
    return Fail(Fault::kEnvironment, "the service account's token: " + text.error().message);
  while (text->ends_with('\n')) text->pop_back();
  const bool is_token =
      !text->empty() && std::ranges::all_of(*text, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_token) return Fail(Fault::kEnvironment, path + ": no token of a service account");
  return text;
}

struct Explained {
  long status;
  std::string_view mend;
};
constexpr auto kExplained = std::to_array<Explained>({
    {401, "; is metadata.pods.token_file this cluster's?"},
    {403, "; a ClusterRole must allow its service account to list and watch pods"},
});

std::string Why(long status, std::string_view body) {
  const auto* const known = std::ranges::find(kExplained, status, &Explained::status);
  const std::string said = ReadApiProblem(body);
  return fmt::format("status {}{}{}{}", status, said.empty() ? "" : ": ", said,
                     known == kExplained.end() ? "" : known->mend);
}

}  // namespace

KubeApi::~KubeApi() {
  if (multi_ != nullptr) Curl().multi_cleanup(multi_);
}

Result<void> KubeApi::Open() {
  if (auto loaded = LoadCurl(); !loaded) return loaded;
  const std::scoped_lock lock(mutex_);
  if (multi_ == nullptr) multi_ = Curl().multi_init();
  if (multi_ == nullptr) return Fail(Fault::kEnvironment, "no memory for a request");
  return {};
}

void KubeApi::Cancel() {
  const std::scoped_lock lock(mutex_);
  cancelled_ = true;
  if (multi_ != nullptr) Curl().multi_wakeup(multi_);
}

CURLcode KubeApi::Perform(CURL* easy) {
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  if (Curl().multi_add_handle(multi_, easy) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  int running = 1;
  while (running != 0 && !cancelled_) {
    constexpr int kLookMs = 1'000;
    if (Curl().multi_perform(multi_, &running) != CURLM_OK) break;
    if (running != 0) Curl().multi_poll(multi_, nullptr, 0, kLookMs, nullptr);
  }
  int left = 0;
  if (const CURLMsg* done = Curl().multi_info_read(multi_, &left); done != nullptr) {
    result = done->data.result;
  }
  Curl().multi_remove_handle(multi_, easy);
  return result;
}

void KubeApi::SetUp(CURL* easy) const {
  Curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  Curl().easy_setopt(easy, CURLOPT_PROXY, "");
  Curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  Curl().easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  Curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Curl().easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Curl().easy_setopt(easy, CURLOPT_CAINFO, server_.ca_file.c_str());
  Curl().easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  Curl().easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // kubelet may write it anew
  Curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  Curl().easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  Curl().easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepAliveS);
  Curl().easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepAliveS);
  Curl().easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OpenCurlSocket);
  Curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
  Curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
}

Result<long> KubeApi::Get(const KubeRequest& request, const Take& take) {
  if (const auto open = Open(); !open) return std::unexpected(open.error());
  const auto token = ReadToken(server_.token_file);
  if (!token) return std::unexpected(token.error());
  const CurlHandle owner(Curl().easy_init());
  CURL* easy = owner.get();
  const std::string bearer = "Authorization: Bearer " + *token;
  const std::string accept = "Accept: " + request.accept;
  const CurlList headers(Curl().slist_append(nullptr, bearer.c_str()));
  if (easy == nullptr || Curl().slist_append(headers.get(), accept.c_str()) == nullptr) {
    return Fail(Fault::kEnvironment, "no memory for a request");
  }
  Reading reading{.easy = easy, .request = request, .take = take, .problem = ""};
  const std::string url = server_.url + request.path;
  std::array<char, CURL_ERROR_SIZE> trouble{};
  SetUp(easy);
  Curl().easy_setopt(easy, CURLOPT_URL, url.c_str());
  Curl().easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  Curl().easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  Curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, trouble.data());
  Curl().easy_setopt(easy, CURLOPT_HEADERDATA, &reading);
  Curl().easy_setopt(easy, CURLOPT_WRITEDATA, &reading);
  const CURLcode code = Perform(easy);
  const long status = StatusOf(easy);
  if (status != kHttpOk && status != kHttpGone && status != 0) {
    return Fail(Fault::kEnvironment, server_.url + ": " + Why(status, reading.problem));
  }
  if (code != CURLE_OK && !reading.has_enough) {
    const std::string why = trouble[0] != '\0' ? trouble.data() : Curl().easy_strerror(code);
    return Fail(Fault::kEnvironment, server_.url + ": " + why);
  }
  return status;
}

}  // namespace gyrfalcon
