// One POST at a time on a libcurl handle, and what came of it. The handle is used again, and with
// it the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/curl_library.h"
#include "channels/http_options.h"

namespace gyrfalcon {

struct HttpAnswer {
  long status = 0;            // 0: there was none
  bool timed_out = false;     // before there was one
  std::string problem;        // why there was none
  int64_t retry_after_s = 0;  // 0: not asked for
  std::string body;           // its first kilobyte
};

struct HttpBody {
  std::string bytes;
  bool is_gzip = false;
  std::string boot_id;   // "": no such header
  std::string sequence;  // "7", "7-12"
};

class HttpTransfer {
 public:
  // What never changes is set here; libcurl is loaded. `options` outlives the transfer.
  explicit HttpTransfer(const HttpOptions& options);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  bool is_busy() const { return multi_ != nullptr; }
  bool Begin(CURLM* multi, HttpBody body);
  HttpAnswer End(CURLcode result);  // as curl_multi_info_read told it
  void Abort();

  static HttpTransfer* Of(CURL* easy);

 private:
  void SetTrust();
  void SetFixed();
  void SetHeaders();
  void Leave();

  static size_t TakeBody(char* data, size_t size, size_t count, void* self);
  static size_t TakeHeader(char* data, size_t size, size_t count, void* self);

  const HttpOptions& options_;
  CURL* easy_;
  CURLM* multi_ = nullptr;  // while busy
  HttpBody body_;
  CurlList headers_;
  std::string answer_;
  size_t answer_bytes_ = 0;  // headers and body
  bool is_head_whole_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

// gzip's form; nullopt when there is no memory for it.
std::optional<std::string> Gzip(std::string_view text);

}  // namespace gyrfalcon
