// Requests to the API server of Kubernetes, over HTTPS with the token of a service account.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "base/curl_library.h"
#include "base/result.h"

namespace gyrfalcon {

// Where a pod finds what it may ask the API server with.
inline constexpr std::string_view kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";

struct KubeServer {
  std::string url;         // "https://10.0.0.1:443"
  std::string token_file;  // read for each request, for kubelet writes it anew each hour
  std::string ca_file;     // who else signs is not believed

  friend bool operator==(const KubeServer&, const KubeServer&) = default;
};

struct KubeRequest {
  std::string path;  // with its query, escaped
  std::string accept;
  int timeout_ms = 30'000;           // of all
  std::function<void()> on_begin{};  // 200: the body follows, soon or late
};

class KubeApi {
 public:
  // A piece of the answer's body, as it comes. False: enough, the call ends well.
  using Take = std::function<bool(std::string_view)>;

  explicit KubeApi(KubeServer server) : server_(std::move(server)) {}
  ~KubeApi();
  KubeApi(const KubeApi&) = delete;
  KubeApi& operator=(const KubeApi&) = delete;

  // HTTP's status, 200 or 410; `take` has had the body of 200 and of no other. One thread at a
  // time. Waits, for the timeout at most. Fault::kEnvironment: no answer, or one that says why
  // there is none; no error has the token in it, and what the server says is in it as it came.
  Result<long> Get(const KubeRequest& request, const Take& take);
  // Any thread: the call under way ends with an error, and so do all later ones.
  void Cancel();

 private:
  Result<void> Open();
  void SetUp(CURL* easy) const;
  CURLcode Perform(CURL* easy);

  const KubeServer server_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  CURLM* multi_ = nullptr;  // made at the first call, under mutex_
};

}  // namespace gyrfalcon
