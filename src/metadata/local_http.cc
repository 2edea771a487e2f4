#include "metadata/local_http.h"

#include <algorithm>
#include <string_view>

#include "base/curl_library.h"

namespace gyrfalcon {
namespace {

struct Reading {
  LocalAnswer answer;
  size_t bytes_max = 0;
  bool too_large = false;
};

size_t TakeBody(char* data, size_t size, size_t count, void* into) {
  auto& reading = *static_cast<Reading*>(into);
  const size_t bytes = size * count;
  if (bytes > reading.bytes_max - std::min(reading.bytes_max, reading.answer.body.size())) {
    reading.too_large = true;
    return 0;
  }
  reading.answer.body.append(data, bytes);
  return bytes;
}

// gRPC's outcome stands in a header behind the body.
size_t TakeHeader(char* data, size_t size, size_t count, void* into) {
  auto& answer = static_cast<Reading*>(into)->answer;
  std::string_view line(data, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const auto take = [&line](std::string_view name, std::string& value) {
    if (!line.starts_with(name)) return;
    constexpr size_t kValueMax = 512;
    std::string_view rest = line.substr(name.size());
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    value = rest.substr(0, kValueMax);
  };
  take("grpc-status:", answer.grpc_status);
  take("grpc-message:", answer.grpc_message);
  return size * count;
}

}  // namespace

Result<LocalAnswer> CallLocal(const LocalRequest& request) {
  if (const auto loaded = LoadCurl(); !loaded) return std::unexpected(loaded.error());
  const CurlHandle owner(Curl().easy_init());
  CURL* easy = owner.get();
  if (easy == nullptr) return Fail(Fault::kEnvironment, "no memory for a request");
  Reading reading;
  reading.bytes_max = request.answer_bytes_max;
  const std::string url = "http://localhost" + request.path;
  CurlList headers;
  Curl().easy_setopt(easy, CURLOPT_URL, url.c_str());
  Curl().easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request.socket.c_str());
  Curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  Curl().easy_setopt(easy, CURLOPT_PROXY, "");
  Curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  Curl().easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  Curl().easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, OpenCurlSocket);
  Curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
  Curl().easy_setopt(easy, CURLOPT_WRITEDATA, &reading);
  Curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
  Curl().easy_setopt(easy, CURLOPT_HEADERDATA, &reading);
  if (request.grpc) {
    curl_slist* list = Curl().slist_append(nullptr, "content-type: application/grpc");
    list = Curl().slist_append(list, "te: trailers");
    headers.reset(list);
    Curl().easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    Curl().easy_setopt(easy, CURLOPT_HTTP_VERSION,
                       static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    Curl().easy_setopt(easy, CURLOPT_POST, 1L);
    Curl().easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    Curl().easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
  }
  const CURLcode code = Curl().easy_perform(easy);
  if (reading.too_large) {
    return Fail(Fault::kInput, request.socket + ": the answer is larger than " +
                                   std::to_string(request.answer_bytes_max) + " bytes");
  }
  if (code != CURLE_OK) {
    long error_number = 0;
    Curl().easy_getinfo(easy, CURLINFO_OS_ERRNO, &error_number);
    const std::string why = code == CURLE_COULDNT_CONNECT && error_number != 0
                                ? ErrnoText(static_cast<int>(error_number))
                                : Curl().easy_strerror(code);
    return Fail(Fault::kEnvironment, request.socket + ": " + why);
  }
  Curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reading.answer.status);
  return std::move(reading.answer);
}

}  // namespace gyrfalcon
