// Alerts by HTTP POST, Falco's `http_output`: falcosidekick and its like take each as Falco's.
//
// The receiver is not trusted more than a sandbox is: what it answers is bounded in bytes and time,
// and read for its status and Retry-After only. Neither the URL's path (a webhook's is a secret)
// nor its user, nor a header's value is ever part of an error.
//
// What an answer means:
//   2xx                                        delivered
//   408, 425, 429, 5xx, 3xx, no answer at all  tried again later; Retry-After is obeyed up to a
//   bound 401, 404, 405, 407, 421                    the same: the config is wrong, not the alert
//   other 4xx                                  the alert is refused for ever; of a batch, each is
//   sent
//                                              by itself first
// An alert that gets a 5xx time after time while the one behind it is taken is refused, too: nobody
// shall stop the output with an alert that the receiver can't digest.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "alerts/alert_format.h"
#include "base/result.h"
#include "channels/channel.h"
#include "channels/http_options.h"

namespace gyrfalcon {

// `tell` has lines for the log, on the channel's thread: answers, where they are wanted, and what
// was learnt of the receiver. kInput for options that can't be meant, kEnvironment for files that
// can't be read.
Result<std::unique_ptr<Channel>> MakeHttpChannel(HttpOptions options, AlertFormatOptions format,
                                                 std::function<void(const std::string&)> tell);

}  // namespace gyrfalcon
