// libcurl, loaded when it is first wanted: a daemon without an HTTP output that asks nobody over
// HTTP does without it, and without the 27 libraries that it brings (4 MB of resident memory, and
// their time at each start).
#pragma once

#include <memory>

#include <curl/curl.h>

#include "base/result.h"

namespace gyrfalcon {

// What is called of it; each as curl.h says of the function of that name.
struct CurlLibrary {
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_free) free;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_setopt) multi_setopt;
  decltype(&::curl_multi_wakeup) multi_wakeup;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_url) url;
  decltype(&::curl_url_cleanup) url_cleanup;
  decltype(&::curl_url_get) url_get;
  decltype(&::curl_url_set) url_set;
};

// Any thread. Loads and starts it once; it stays. Fault::kEnvironment: it is not installed, or has
// not all of these.
Result<void> LoadCurl();

// Once LoadCurl has succeeded.
const CurlLibrary& Curl();

// Owners, once it is loaded.
struct CurlCleanup {
  void operator()(CURL* easy) const { Curl().easy_cleanup(easy); }
  void operator()(curl_slist* list) const { Curl().slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlCleanup>;
using CurlList = std::unique_ptr<curl_slist, CurlCleanup>;

// For CURLOPT_OPENSOCKETFUNCTION: programs that the daemon starts do not inherit the connection.
curl_socket_t OpenCurlSocket(void* unused, curlsocktype purpose, curl_sockaddr* address);

}  // namespace gyrfalcon
