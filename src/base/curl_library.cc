#include "base/curl_library.h"

#include <string>

#include <dlfcn.h>
#include <sys/socket.h>

namespace gyrfalcon {
namespace {

// The name that curl has kept for its interface since 2006.
constexpr const char* kLibrary = "libcurl.so.4";

// `complete` turns false where it has none.
template <class Function>
void Find(void* library, const char* name, Function& function, bool& complete) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  complete &= function != nullptr;
}

Result<CurlLibrary> Load() {
  void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    return Fail(Fault::kEnvironment, std::string("HTTP needs libcurl: ") +
                                         (why != nullptr ? why : kLibrary) +
                                         "; install it (package libcurl4)");
  }
  CurlLibrary curl{};
  decltype(&::curl_global_init) global_init = nullptr;
  bool complete = true;
  Find(library, "curl_global_init", global_init, complete);
  Find(library, "curl_easy_cleanup", curl.easy_cleanup, complete);
  Find(library, "curl_easy_getinfo", curl.easy_getinfo, complete);
  Find(library, "curl_easy_init", curl.easy_init, complete);
  Find(library, "curl_easy_perform", curl.easy_perform, complete);
  Find(library, "curl_easy_setopt", curl.easy_setopt, complete);
  Find(library, "curl_easy_strerror", curl.easy_strerror, complete);
  Find(library, "curl_free", curl.free, complete);
  Find(library, "curl_multi_add_handle", curl.multi_add_handle, complete);
  Find(library, "curl_multi_cleanup", curl.multi_cleanup, complete);
  Find(library, "curl_multi_info_read", curl.multi_info_read, complete);
  Find(library, "curl_multi_init", curl.multi_init, complete);
  Find(library, "curl_multi_perform", curl.multi_perform, complete);
  Find(library, "curl_multi_poll", curl.multi_poll, complete);
  Find(library, "curl_multi_remove_handle", curl.multi_remove_handle, complete);
  Find(library, "curl_multi_setopt", curl.multi_setopt, complete);
  Find(library, "curl_multi_wakeup", curl.multi_wakeup, complete);
  Find(library, "curl_slist_append", curl.slist_append, complete);
  Find(library, "curl_slist_free_all", curl.slist_free_all, complete);
  Find(library, "curl_url", curl.url, complete);
  Find(library, "curl_url_cleanup", curl.url_cleanup, complete);
  Find(library, "curl_url_get", curl.url_get, complete);
  Find(library, "curl_url_set", curl.url_set, complete);
  if (!complete) {
    return Fail(Fault::kEnvironment, std::string(kLibrary) +
                                         " is too old for HTTP outputs: libcurl 7.85 or later is "
                                         "needed (package libcurl4)");
  }
  if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Fail(Fault::kEnvironment, std::string(kLibrary) + " does not start");
  }
  return curl;
}

const Result<CurlLibrary>& Loaded() {
  static const Result<CurlLibrary> loaded = Load();
  return loaded;
}

}  // namespace

Result<void> LoadCurl() {
  if (!Loaded()) return std::unexpected(Loaded().error());
  return {};
}

const CurlLibrary& Curl() {
  return *Loaded();
}

curl_socket_t OpenCurlSocket(void* /*unused*/, curlsocktype /*purpose*/, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace gyrfalcon
