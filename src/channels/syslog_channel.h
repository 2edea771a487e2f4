// Alerts to the syslog daemon of this machine, Falco's `syslog_output`: by its datagram socket and
// not by syslog(3), which tells nobody when a message is lost.
#pragma once

#include <memory>
#include <string>

#include "alerts/alert_format.h"
#include "base/result.h"
#include "channels/channel.h"

namespace gyrfalcon {

struct SyslogOptions {
  std::string socket = "/dev/log";
  std::string ident = "gyrfalcon";
  std::string facility = "user";  // Falco's

  friend bool operator==(const SyslogOptions&, const SyslogOptions&) = default;
};

// Names that SyslogOptions::facility may have, as of syslog.conf: "auth|authpriv|…".
inline constexpr std::string_view kSyslogFacilities =
    "user|daemon|auth|authpriv|local0|local1|local2|local3|local4|local5|local6|local7";

// An alert's priority is syslog's of the same name. A line that the socket does not take as a whole
// is cut. kInput for a socket's path that is too long, or a facility that is none of those.
Result<std::unique_ptr<Channel>> MakeSyslogChannel(SyslogOptions options,
                                                   AlertFormatOptions format);

}  // namespace gyrfalcon
