#pragma once
// Errors of tandem: one code per outcome, one exception class per code.
//
// Codes travel on the wire (one byte, see wire/frame.hpp); both sides know them by number. Numbers are never
// reused. In the server an outcome is a value; only the proxies throw exceptions.

#include "tandem/cxx20.hpp"

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
  remote_error = 22,   // a task or hosted type threw an exception that cannot be rethrown as its own class
  worker_died = 23,    // a worker process ended before its task was done
  end_of_file = 24,    // the other end of a pipe is closed (raised by the client only)
  journal_error = 25,  // a journal cannot be used (raised by a Server only)
  reply_lost = 26,     // the operation was carried out, but its result is no longer known
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
    case Code::journal_error: return "journal_error";
    case Code::reply_lost: return "reply_lost";
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

/// Base of the class of one code.
template <Code C>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& text) : Error(C, text) {}
};

// The class of each code: `catch (const tandem::KeyError& e)`. Classes of their own, so that the name is what a
// debugger and the text of an uncaught exception show.
/// Python's KeyError.
class KeyError : public ErrorOf<Code::key_error> {
  using ErrorOf::ErrorOf;
};
/// Python's IndexError.
class IndexError : public ErrorOf<Code::index_error> {
  using ErrorOf::ErrorOf;
};
/// Python's TypeError.
class TypeError : public ErrorOf<Code::type_error> {
  using ErrorOf::ErrorOf;
};
/// Python's ValueError.
class ValueError : public ErrorOf<Code::value_error> {
  using ErrorOf::ErrorOf;
};
/// Python's OverflowError.
class OverflowError : public ErrorOf<Code::overflow> {
  using ErrorOf::ErrorOf;
};
/// The proxy's object was removed.
class ObjectGone : public ErrorOf<Code::object_gone> {
  using ErrorOf::ErrorOf;
};
/// No object of that name.
class NotFound : public ErrorOf<Code::not_found> {
  using ErrorOf::ErrorOf;
};
/// The text names the limit and its value.
class ResourceExhausted : public ErrorOf<Code::resource_exhausted> {
  using ErrorOf::ErrorOf;
};
/// A bug, or a peer that is not tandem.
class ProtocolError : public ErrorOf<Code::protocol_error> {
  using ErrorOf::ErrorOf;
};
class AuthenticationError : public ErrorOf<Code::authentication_error> {
  using ErrorOf::ErrorOf;
};
class VersionError : public ErrorOf<Code::version_error> {
  using ErrorOf::ErrorOf;
};
/// Options::call_timeout or connect_timeout. An operation that waits has then ended the session.
class Timeout : public ErrorOf<Code::timeout> {
  using ErrorOf::ErrorOf;
};
/// Names the address and the call.
class ConnectionError : public ErrorOf<Code::connection_error> {
  using ErrorOf::ErrorOf;
};
class ShuttingDown : public ErrorOf<Code::shutting_down> {
  using ErrorOf::ErrorOf;
};
class NotOwner : public ErrorOf<Code::not_owner> {
  using ErrorOf::ErrorOf;
};
/// The text names every link of the cycle.
class DeadlockError : public ErrorOf<Code::deadlock> {
  using ErrorOf::ErrorOf;
};
class SessionLost : public ErrorOf<Code::session_lost> {
  using ErrorOf::ErrorOf;
};
class StaleToken : public ErrorOf<Code::stale_token> {
  using ErrorOf::ErrorOf;
};
/// Python's threading.BrokenBarrierError.
class BrokenBarrierError : public ErrorOf<Code::broken_barrier> {
  using ErrorOf::ErrorOf;
};
/// Python's queue.ShutDown.
class Closed : public ErrorOf<Code::closed> {
  using ErrorOf::ErrorOf;
};
class Conflict : public ErrorOf<Code::conflict> {
  using ErrorOf::ErrorOf;
};
/// Python's EOFError.
class EndOfFile : public ErrorOf<Code::end_of_file> {
  using ErrorOf::ErrorOf;
};

/// The operation was carried out, once, but the connection broke before its result had arrived, and the manager has not
/// kept that (limit replies_kept_bytes_max).
class ReplyLost : public ErrorOf<Code::reply_lost> {
  using ErrorOf::ErrorOf;
};

/// A Server's journal cannot be opened, read or written: the text names the file and what to do.
class JournalError : public ErrorOf<Code::journal_error> {
  using ErrorOf::ErrorOf;
};
/// What a journal contains cannot be what was written: a part is damaged or missing. Nothing was changed.
class JournalDamaged : public JournalError {
  using JournalError::JournalError;
};

/// Python's multiprocessing.pool.RemoteTraceback: an exception of a user's task or hosted type that cannot be rethrown here as its own class: its type and
/// text.
class RemoteError : public ErrorOf<Code::remote_error> {
 public:
  using ErrorOf::ErrorOf;
  RemoteError(const std::string& type, const std::string& text)
      : ErrorOf(text.empty() ? type : type + ": " + text), type_(type) {}
  /// The exception's class as written in C++, e.g. "std::filesystem::filesystem_error"; empty if unknown.
  const std::string& type() const noexcept { return type_; }

 private:
  std::string type_;
};

/// How the worker process of a task ended. The text says the same.
class WorkerDied : public ErrorOf<Code::worker_died> {
 public:
  using ErrorOf::ErrorOf;
  /// `exit_code`: as ProcessHandle::exit_code() returns it; nullopt if unknown, for example because the
  /// process ran on another machine.
  WorkerDied(const std::string& text, std::int64_t pid, std::optional<int> exit_code)
      : ErrorOf(text), pid_(pid), exit_code_(exit_code) {}
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

/// Throws the exception class that belongs to `code`.
[[noreturn]] void throw_error(Code code, const std::string& text);
/// Returns what throw_error() throws.
std::exception_ptr make_error(Code code, const std::string& text);

}  // namespace tandem
