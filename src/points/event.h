// One decoded message: views into its payload, nothing copied.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "base/counter.h"
#include "base/ip_address.h"
#include "points/schema.h"

namespace gyrfalcon {

enum class ContextField : uint8_t {
  kTime = 1,  // protobuf field numbers of ContextData
  kThreadId,
  kThreadStartTime,
  kThreadGroupId,
  kThreadGroupStartTime,
  kContainerId,
  kCredentials,
  kCwd,
  kProcessName,
  kParentThreadGroupId,
  kIsExecSession,
};

struct Credentials {
  uint32_t real_uid = 0, effective_uid = 0, saved_uid = 0;
  uint32_t real_gid = 0, effective_gid = 0, saved_gid = 0;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// What a point told about the thread that it fired in. Which members are there depends on the
// session; proto3 does not send zeros, so an absent number may also be a zero (root's uid, a
// missing parent).
struct Context {
  uint32_t present = 0;   // bit per ContextField
  int64_t time_ns = 0;    // sandbox's CLOCK_REALTIME
  int32_t thread_id = 0;  // ids of the sandbox's root PID namespace
  int64_t thread_start_time_ns = 0;
  int32_t thread_group_id = 0;
  int64_t thread_group_start_time_ns = 0;
  std::string_view container_id;
  Credentials credentials;
  std::string_view cwd;
  std::string_view process_name;
  int32_t parent_thread_group_id = 0;
  bool is_exec_session = false;
  // The same in the next message of the connection: nothing has changed but the time. 0: not known.
  uint64_t id = 0;

  bool has(ContextField field) const {
    return (present & (1u << static_cast<unsigned>(field))) != 0;
  }
};

// A context that is lent by who keeps it, or one of its own. A copy has its own.
class LentContext {
 public:
  LentContext() = default;
  LentContext(const LentContext& other) : own_(*other), at_(&own_) {}
  LentContext& operator=(const LentContext& other) {
    if (this != &other) own_ = *other;
    at_ = &own_;
    return *this;
  }
  ~LentContext() = default;

  const Context& operator*() const { return *at_; }
  // Empty.
  void Clear() { at_ = &kNone; }
  // Until the lender changes it.
  void Lend(const Context& context) { at_ = &context; }
  // To be changed: what was lent is copied.
  Context& Own() {
    if (at_ != &own_) own_ = *at_;
    at_ = &own_;
    return own_;
  }

 private:
  static constexpr Context kNone{};

  Context own_;
  const Context* at_ = &kNone;
};

// A repeated string: iterated where it lies, without a copy. Dies with the payload.
class TextList {
 public:
  TextList() = default;
  TextList(std::string_view rest, uint32_t field_number, size_t count)
      : rest_(rest), field_number_(field_number), count_(count) {}

  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::string_view front() const;  // "" when empty

  template <class Visitor>
  void ForEach(Visitor&& visit) const {
    std::string_view rest = rest_;
    for (size_t i = 0; i < count_; ++i) visit(TakeNext(rest));
  }

 private:
  // Next element of the list; skips other fields between. Only called on a validated payload.
  std::string_view TakeNext(std::string_view& rest) const;

  std::string_view rest_;  // from the first element's tag to the payload's end
  uint32_t field_number_ = 0;
  size_t count_ = 0;
};

// Views live as long as the payload's frame; those of the context, where it was decoded with a
// ContextMemory, until that is given the next message.
class Event {
 public:
  MessageType type() const { return type_; }
  // The bytes that Decode was given.
  std::span<const std::byte> payload() const { return payload_; }
  const Context& context() const { return *context_; }
  // An exit message has both; an enter message, and one that is no syscall, has neither.
  bool is_exit() const { return has_exit_; }
  int64_t result() const { return result_; }
  int64_t error_number() const { return error_number_; }
  // What the system call returned, as the kernel's ABI puts it: -errno on failure.
  int64_t return_value() const {
    // By way of unsigned: a forged error number may have no negative.
    return error_number_ != 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(error_number_))
                              : result_;
  }

  bool has(Slot slot) const { return present_.test(static_cast<size_t>(slot)); }
  // 0 when absent: proto3 does not send zeros.
  int64_t number(Slot slot) const { return has(slot) ? at(slot).number : 0; }
  uint64_t sysno() const { return static_cast<uint64_t>(number(Slot::kSysno)); }
  // "" when absent.
  std::string_view text(Slot slot) const {
    return has(slot) ? std::string_view{at(slot).data, at(slot).size} : std::string_view{};
  }
  // Empty when absent.
  TextList list(Slot slot) const;

  // For those who know better than the sender: another time; no container at all.
  void SetTime(int64_t time_ns) { context_.Own().time_ns = time_ns; }
  void DisownContainer() {
    context_.Own().container_id = {};
    present_.reset(static_cast<size_t>(Slot::kStartId));
  }

  // A copy of a raw message that may outlive its payload: such messages have no text but the
  // context's, which is left out.
  Event CopyOfRaw() const;
  // How such a copy is saved (state/saved_bytes.h): it holds numbers only.
  template <class Visit>
  static void VisitRaw(Visit& visit, Event& event) {
    event.type_ = MessageType::kRaw;
    visit("has_exit", event.has_exit_);
    visit("result", event.result_);
    visit("error_number", event.error_number_);
    visit("context", event.context_.Own());
    for (const Slot slot : {Slot::kSysno, Slot::kArg1, Slot::kArg2, Slot::kArg3, Slot::kArg4,
                            Slot::kArg5, Slot::kArg6}) {
      bool there = event.has(slot);
      int64_t number = event.number(slot);
      visit("there", there);
      visit("number", number);
      event.present_.set(static_cast<size_t>(slot), there);
      event.cells_[static_cast<size_t>(slot)].number = number;
    }
  }

 private:
  friend class Decoder;
  struct Cell {
    union {
      int64_t number;
      const char* data;
    };
    size_t size;            // of the text; count of a list
    uint32_t field_number;  // lists
    uint32_t rest_size;     // lists: bytes from `data` to the payload's end
  };
  const Cell& at(Slot slot) const { return cells_[static_cast<size_t>(slot)]; }

  MessageType type_ = MessageType::kUnknown;
  std::span<const std::byte> payload_;
  bool has_exit_ = false;
  int64_t result_ = 0;
  int64_t error_number_ = 0;
  LentContext context_;
  std::bitset<kSlotCount> present_;
  // Only the cells named by `present_` mean anything: clearing them all would cost more than
  // decoding.
  std::array<Cell, kSlotCount> cells_;
};

// One end of a socket, from FdInfo of sentry/execve.
struct SocketEnd {
  IpAddress address;
  uint16_t port = 0;  // host byte order
};

// What a file descriptor is, as sentry/execve's optional fd_info tells it.
struct FdInfo {
  uint32_t mode = 0;  // st_mode
  uint64_t inode = 0;
  std::string_view path;
  uint32_t socket_family = 0;  // 0: no socket
  std::optional<SocketEnd> local, remote;
};

enum class DecodeError : uint8_t {
  kUnknownType,    // a message type that this program does not know: newer gVisor, skipped
  kMalformed,      // a varint or a length that runs beyond the message, or an invalid tag
  kWrongWireType,  // a field that is not of the type its message has
  kTooLong,        // a list with more elements than the limit
  kCount,
};

extern const std::array<CounterRow, static_cast<size_t>(DecodeError::kCount)> kDecodeErrorRows;

// A message's strings: gVisor can't send more than about 213 kB, so this bounds a forged one.
inline constexpr size_t kListItemsMax = 128 * 1024;

class ContextMemory;  // points/context_memory.h

// Reads `payload` of a message of `type` into `event`. Distrusts everything; never throws, never
// aborts. On error `event` holds nothing of use. Unknown fields are skipped (newer gVisor). With a
// `memory` it is faster, and the same.
std::expected<void, DecodeError> Decode(uint16_t type, std::span<const std::byte> payload,
                                        Event& event, ContextMemory* memory = nullptr) noexcept;

// The nested messages that Decode left as bytes. It has validated them, so these can't fail; given
// anything else they return what they understood.
FdInfo DecodeFdInfo(std::string_view bytes) noexcept;
// The thread at the other end of a pipe (PipeProcInfo of sentry/execve).
Context DecodePipeProcInfo(std::string_view bytes) noexcept;
int64_t DecodeTimespecNs(std::string_view bytes) noexcept;

struct Rlimit {
  uint64_t current = 0, maximum = 0;
};
Rlimit DecodeRlimit(std::string_view bytes) noexcept;

}  // namespace gyrfalcon
