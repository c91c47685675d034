// libcurl, and the little of it that Swift cannot call: variadic functions, each with the type of
// argument that its options take. No logic lives here.
#pragma once

// The checks are macros in place of the functions.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

static inline CURLcode amity_curl_set_number(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode amity_curl_set_text(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode amity_curl_set_list(CURL *easy, CURLoption option,
                                           struct curl_slist *value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode amity_curl_set_write(CURL *easy, curl_write_callback write, void *to) {
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, to);
  return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
}

static inline CURLcode amity_curl_set_open_socket(CURL *easy, curl_opensocket_callback open,
                                                  void *to) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, to);
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
}

// The address is longer than the member that it begins in.
static inline const struct sockaddr *amity_curl_address(const struct curl_sockaddr *address) {
  return &address->addr;
}

static inline long amity_curl_number(CURL *easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

static inline CURLMcode amity_curl_multi_set_number(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode amity_curl_multi_set_callbacks(CURLM *multi, curl_socket_callback watch,
                                                       curl_multi_timer_callback expire,
                                                       void *context) {
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, expire);
  return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
}
