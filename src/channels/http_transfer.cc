#include "channels/http_transfer.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <strings.h>
#include <zlib.h>

#include "alerts/alert_format.h"

namespace gyrfalcon {
namespace {

constexpr size_t kAnswerBytesMax = 64 * 1024;  // headers and body; the rest is not read
constexpr size_t kAnswerKeptMax = 1024;

void Append(CurlList& list, const std::string& line) {
  curl_slist* const first = list.release();
  curl_slist* const longer = Curl().slist_append(first, line.c_str());
  list.reset(longer != nullptr ? longer : first);
}

long Milliseconds(uint64_t value) {
  return static_cast<long>(std::min<uint64_t>(value, std::numeric_limits<int>::max()));
}

}  // namespace

HttpTransfer::HttpTransfer(const HttpOptions& options)
    : options_(options), easy_(Curl().easy_init()) {
  if (easy_ == nullptr) return;  // no memory: Begin says so
  SetFixed();
  SetTrust();
}

HttpTransfer::~HttpTransfer() {
  Abort();
  Curl().easy_cleanup(easy_);
}

void HttpTransfer::SetFixed() {
  Curl().easy_setopt(easy_, CURLOPT_URL, options_.url.c_str());
  Curl().easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  Curl().easy_setopt(easy_, CURLOPT_POST, 1L);
  Curl().easy_setopt(easy_, CURLOPT_USERAGENT, options_.user_agent.c_str());
  Curl().easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  Curl().easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // a name server that hangs holds up no end
  Curl().easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(options_.connect_timeout_ms));
  Curl().easy_setopt(easy_, CURLOPT_TIMEOUT_MS, Milliseconds(options_.timeout_ms));
  Curl().easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, options_.keep_alive ? 1L : 0L);
  Curl().easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, OpenCurlSocket);
  Curl().easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  Curl().easy_setopt(easy_, CURLOPT_PRIVATE, this);
  Curl().easy_setopt(easy_, CURLOPT_WRITEFUNCTION, TakeBody);
  Curl().easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  Curl().easy_setopt(easy_, CURLOPT_HEADERFUNCTION, TakeHeader);
  Curl().easy_setopt(easy_, CURLOPT_HEADERDATA, this);
}

void HttpTransfer::SetTrust() {
  Curl().easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (options_.mtls) {
    Curl().easy_setopt(easy_, CURLOPT_SSLCERT, options_.client_cert.c_str());
    Curl().easy_setopt(easy_, CURLOPT_SSLKEY, options_.client_key.c_str());
  }
  if (options_.insecure) {
    Curl().easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
    Curl().easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
    return;
  }
  const std::string& file = options_.ca_cert.empty() ? options_.ca_bundle : options_.ca_cert;
  if (!file.empty()) {
    Curl().easy_setopt(easy_, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // it may be written anew
    Curl().easy_setopt(easy_, CURLOPT_CAINFO, file.c_str());
    Curl().easy_setopt(easy_, CURLOPT_CAPATH, nullptr);  // no one else is believed
  } else if (options_.ca_path != HttpOptions().ca_path) {
    Curl().easy_setopt(easy_, CURLOPT_CAINFO, nullptr);
    Curl().easy_setopt(easy_, CURLOPT_CAPATH, options_.ca_path.c_str());
  }
}

// A header of the config goes before ours of the same name.
void HttpTransfer::SetHeaders() {
  CurlList list;
  const auto add = [this, &list](const std::string& name, std::string_view value) {
    const bool is_given = std::ranges::any_of(options_.headers, [&name](const auto& header) {
      return strcasecmp(header.first.c_str(), name.c_str()) == 0;
    });
    if (!is_given) Append(list, fmt::format("{}: {}", name, value));
  };
  for (const auto& [name, value] : options_.headers) {
    // curl's form of a header without a value.
    Append(list, value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
  }
  add("Content-Type", "application/json");
  if (body_.is_gzip) add("Content-Encoding", "gzip");
  if (!body_.boot_id.empty()) {
    add("X-Gyrfalcon-Boot-Id", body_.boot_id);
    add("X-Gyrfalcon-Sequence", body_.sequence);
  }
  Append(list, "Expect:");  // a large body is not asked for first
  headers_ = std::move(list);
  Curl().easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_.get());
}

bool HttpTransfer::Begin(CURLM* multi, HttpBody body) {
  if (easy_ == nullptr) return false;
  body_ = std::move(body);
  answer_.clear();
  answer_bytes_ = 0;
  is_head_whole_ = false;
  error_[0] = '\0';
  SetHeaders();
  Curl().easy_setopt(easy_, CURLOPT_POSTFIELDS, body_.bytes.data());
  Curl().easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(body_.bytes.size()));
  if (Curl().multi_add_handle(multi, easy_) != CURLM_OK) return false;
  multi_ = multi;
  return true;
}

HttpAnswer HttpTransfer::End(CURLcode result) {
  HttpAnswer answer;
  Curl().easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t retry_after = 0;
  Curl().easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
  answer.retry_after_s = retry_after;
  // A whole head is an answer, whatever became of what follows it. A status by itself is none: who
  // dies behind it may not have kept the alert.
  constexpr long kFirstFinalStatus = 200;
  if (answer.status < kFirstFinalStatus || !is_head_whole_) {
    answer.status = 0;
    answer.timed_out = result == CURLE_OPERATION_TIMEDOUT;
    if (result == CURLE_OK) {
      answer.problem = "its answer was cut off";
    } else {
      answer.problem = Printable(error_[0] != '\0' ? error_ : Curl().easy_strerror(result));
    }
  }
  answer.body = std::move(answer_);
  Leave();
  return answer;
}

void HttpTransfer::Abort() {
  if (is_busy()) Leave();
}

void HttpTransfer::Leave() {
  Curl().multi_remove_handle(multi_, easy_);
  multi_ = nullptr;
}

HttpTransfer* HttpTransfer::Of(CURL* easy) {
  void* self = nullptr;
  Curl().easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return static_cast<HttpTransfer*>(self);
}

size_t HttpTransfer::TakeBody(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const size_t bytes = size * count;
  transfer.answer_bytes_ += bytes;
  const size_t room = kAnswerKeptMax - std::min(kAnswerKeptMax, transfer.answer_.size());
  transfer.answer_.append(data, std::min(bytes, room));
  return transfer.answer_bytes_ > kAnswerBytesMax ? 0 : bytes;  // 0 ends the transfer
}

// Once for each line, the empty one at the end too.
size_t HttpTransfer::TakeHeader(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) transfer.is_head_whole_ = false;  // behind a 100
  if (line == "\r\n" || line == "\n") transfer.is_head_whole_ = true;
  transfer.answer_bytes_ += size * count;
  return transfer.answer_bytes_ > kAnswerBytesMax ? 0 : size * count;
}

std::optional<std::string> Gzip(std::string_view text) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemory = 8;
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool is_whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return is_whole ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace gyrfalcon
