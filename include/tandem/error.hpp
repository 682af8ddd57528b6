#pragma once
// Errors of tandem: one code per outcome, one exception class per code.
//
// Codes travel on the wire (one byte, see wire/frame.hpp); both sides know them by number. Numbers are never
// reused. In the server an outcome is a value; only the proxies throw exceptions.

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tandem {

enum class Code : std::uint8_t {
  ok = 0,
  key_error = 1,              // a key or element that does not exist
  index_error = 2,            // an index outside the sequence
  type_error = 3,             // a value of a wrong type, or one that the operation cannot use
  value_error = 4,            // right type, invalid value
  overflow = 5,               // an arithmetic result that does not fit 64 bits
  object_gone = 6,            // the object was removed or never existed
  not_found = 7,              // no object has this name
  resource_exhausted = 8,     // a limit of the manager, named in the text
  protocol_error = 9,         // bytes or a request that break the protocol
  authentication_error = 10,  // the peer has another authkey, or may not connect
  version_error = 11,         // the peer speaks another version of the protocol
  timeout = 12,               // a time limit ran out
  connection_error = 13,      // the manager cannot be reached, or was lost (raised by the client only)
  shutting_down = 14,         // the manager is stopping and takes no new requests
  not_owner = 15,             // a lock that the calling thread does not hold
  deadlock = 16,              // a wait that would close a cycle of owners waiting for each other
  session_lost = 17,          // the session ended while its process lived; the text names the locks it held
  stale_token = 18,           // the lock grant that fences the operation has ended
  broken_barrier = 19,        // a barrier was broken or reset during the wait
  closed = 20,                // a queue is closed
  conflict = 21,              // a value read by a transaction has changed
  remote_error = 22,  // a task or hosted type threw an exception that cannot be rethrown as its own class
  worker_died = 23,   // a worker process ended before its task was done
  end_of_file = 24,   // the other end of a pipe is closed (raised by the client only)
};

/// Name of a code as logs, metrics and the debug endpoint show it, e.g. "key_error".
constexpr std::string_view name_of(Code code) {
  switch (code) {
    case Code::ok: return "ok";
    case Code::key_error: return "key_error";
    case Code::index_error: return "index_error";
    case Code::type_error: return "type_error";
    case Code::value_error: return "value_error";
    case Code::overflow: return "overflow";
    case Code::object_gone: return "object_gone";
    case Code::not_found: return "not_found";
    case Code::resource_exhausted: return "resource_exhausted";
    case Code::protocol_error: return "protocol_error";
    case Code::authentication_error: return "authentication_error";
    case Code::version_error: return "version_error";
    case Code::timeout: return "timeout";
    case Code::connection_error: return "connection_error";
    case Code::shutting_down: return "shutting_down";
    case Code::not_owner: return "not_owner";
    case Code::deadlock: return "deadlock";
    case Code::session_lost: return "session_lost";
    case Code::stale_token: return "stale_token";
    case Code::broken_barrier: return "broken_barrier";
    case Code::closed: return "closed";
    case Code::conflict: return "conflict";
    case Code::remote_error: return "remote_error";
    case Code::worker_died: return "worker_died";
    case Code::end_of_file: return "end_of_file";
  }
  return "unknown";
}

/// Base of every exception that tandem throws. Catch it to catch them all; `code()` tells them apart.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

/// The class of exception for one code: `catch (const tandem::KeyError& e)`.
template <Code C>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& text) : Error(C, text) {}
};

/// An exception of a user's task or hosted type that cannot be rethrown here as its own class: its type and
/// text.
template <>
class ErrorOf<Code::remote_error> : public Error {
 public:
  explicit ErrorOf(const std::string& text) : Error(Code::remote_error, text) {}
  ErrorOf(const std::string& type, const std::string& text)
      : Error(Code::remote_error, text.empty() ? type : type + ": " + text), type_(type) {}
  /// The exception's class as written in C++, e.g. "std::filesystem::filesystem_error"; empty if unknown.
  const std::string& type() const noexcept { return type_; }

 private:
  std::string type_;
};

/// How the worker process of a task ended. The text says the same.
template <>
class ErrorOf<Code::worker_died> : public Error {
 public:
  explicit ErrorOf(const std::string& text) : Error(Code::worker_died, text) {}
  /// `exit_code`: as ProcessHandle::exit_code() returns it; nullopt if unknown, for example because the
  /// process ran on another machine.
  ErrorOf(const std::string& text, std::int64_t pid, std::optional<int> exit_code)
      : Error(Code::worker_died, text), pid_(pid), exit_code_(exit_code) {}
  /// 0: unknown.
  std::int64_t pid() const noexcept { return pid_; }
  /// nullopt: a signal killed the process, or its exit code is unknown.
  std::optional<int> exit_code() const noexcept {
    return exit_code_ && *exit_code_ >= 0 ? exit_code_ : std::nullopt;
  }
  /// The signal that killed the process; nullopt: none, or unknown.
  std::optional<int> signal() const noexcept {
    return exit_code_ && *exit_code_ < 0 ? std::optional(-*exit_code_) : std::nullopt;
  }

 private:
  std::int64_t pid_ = 0;
  std::optional<int> exit_code_;
};

using KeyError = ErrorOf<Code::key_error>;                    // Python's KeyError
using IndexError = ErrorOf<Code::index_error>;                // Python's IndexError
using TypeError = ErrorOf<Code::type_error>;                  // Python's TypeError
using ValueError = ErrorOf<Code::value_error>;                // Python's ValueError
using OverflowError = ErrorOf<Code::overflow>;                // Python's OverflowError
using ObjectGone = ErrorOf<Code::object_gone>;                // the proxy's object was removed
using NotFound = ErrorOf<Code::not_found>;                    // no object of that name
using ResourceExhausted = ErrorOf<Code::resource_exhausted>;  // the text names the limit and its value
using ProtocolError = ErrorOf<Code::protocol_error>;          // a bug, or a peer that is not tandem
using AuthenticationError = ErrorOf<Code::authentication_error>;
using VersionError = ErrorOf<Code::version_error>;
using Timeout = ErrorOf<Code::timeout>;                   // Options::call_timeout or connect_timeout
using ConnectionError = ErrorOf<Code::connection_error>;  // names the address and the call
using ShuttingDown = ErrorOf<Code::shutting_down>;
using NotOwner = ErrorOf<Code::not_owner>;
using DeadlockError = ErrorOf<Code::deadlock>;  // the text names every link of the cycle
using SessionLost = ErrorOf<Code::session_lost>;
using StaleToken = ErrorOf<Code::stale_token>;
using BrokenBarrierError = ErrorOf<Code::broken_barrier>;  // Python's threading.BrokenBarrierError
using Closed = ErrorOf<Code::closed>;                      // Python's queue.ShutDown
using Conflict = ErrorOf<Code::conflict>;
using RemoteError = ErrorOf<Code::remote_error>;  // multiprocessing.pool.RemoteTraceback
using WorkerDied = ErrorOf<Code::worker_died>;
using EndOfFile = ErrorOf<Code::end_of_file>;  // Python's EOFError

/// Throws the exception class that belongs to `code`.
[[noreturn]] void throw_error(Code code, const std::string& text);
/// Returns what throw_error() throws.
std::exception_ptr make_error(Code code, const std::string& text);

}  // namespace tandem
