// Names of bits and constants as Falco prints them, from the kernel's numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gyrfalcon {

// Joined by "|" in Falco's order; "0" when none is set.
void AppendOpenFlags(uint32_t kernel_flags, std::string& out);
void AppendProtection(uint32_t prot, std::string& out);
// "" for a number that has no name.
std::string_view SocketDomainName(int64_t domain);
std::string_view PtraceRequestName(int64_t request);
// "ENOENT"; "" for an unknown number.
std::string_view ErrnoName(int64_t error_number);
// The same for what a system call returned: "ENOENT" for -2, "" for what is no error.
std::string_view ErrnoOfReturn(int64_t return_value);

}  // namespace gyrfalcon
