// What the HTTP output is told by the config.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace gyrfalcon {

struct HttpOptions {
  std::string url;  // http: or https:
  std::string user_agent = "gyrfalcon";
  std::map<std::string, std::string> headers;  // further ones; their values are secrets
  bool insecure = false;                       // any certificate will do
  // Whom to believe: the first of these that is not empty. Files and a folder of PEM.
  std::string ca_cert;
  std::string ca_bundle;
  std::string ca_path = "/etc/ssl/certs";
  bool mtls = false;  // show client_cert
  std::string client_cert = "/etc/ssl/certs/client.crt";
  std::string client_key = "/etc/ssl/certs/client.key";
  bool compress_uploads = false;  // gzip; a receiver that does not take it gets it plain
  bool keep_alive = false;        // TCP's probes; the connection is kept in any case
  uint64_t connect_timeout_ms = 5'000;
  uint64_t timeout_ms = 10'000;           // of one POST, to the end of its answer
  uint64_t max_consecutive_timeouts = 5;  // so many in a row are tried again at once, and not told
  uint64_t batch_max = 1;  // alerts in one POST; 1: a JSON object; more: always an array
  uint64_t parallel = 1;   // POSTs at a time; more than 1: alerts may arrive out of order
  bool echo = false;       // what the receiver answers is told

  friend bool operator==(const HttpOptions&, const HttpOptions&) = default;
};

// The place that `url` names, "https://host:8080": what of it may be shown. kInput for options that
// can't be meant, kEnvironment for files that can't be read, or without libcurl, which
// is loaded then. No error has a secret in it.
Result<std::string> CheckHttpOptions(const HttpOptions& options);

}  // namespace gyrfalcon
