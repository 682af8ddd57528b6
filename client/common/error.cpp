#include "tandem/error.hpp"

namespace tandem {

void throw_error(Code code, const std::string& text) {
  switch (code) {
    case Code::key_error: throw KeyError(text);
    case Code::index_error: throw IndexError(text);
    case Code::type_error: throw TypeError(text);
    case Code::value_error: throw ValueError(text);
    case Code::overflow: throw OverflowError(text);
    case Code::object_gone: throw ObjectGone(text);
    case Code::not_found: throw NotFound(text);
    case Code::resource_exhausted: throw ResourceExhausted(text);
    case Code::protocol_error: throw ProtocolError(text);
    case Code::authentication_error: throw AuthenticationError(text);
    case Code::version_error: throw VersionError(text);
    case Code::timeout: throw Timeout(text);
    case Code::connection_error: throw ConnectionError(text);
    case Code::shutting_down: throw ShuttingDown(text);
    case Code::not_owner: throw NotOwner(text);
    case Code::deadlock: throw DeadlockError(text);
    case Code::session_lost: throw SessionLost(text);
    case Code::stale_token: throw StaleToken(text);
    case Code::broken_barrier: throw BrokenBarrierError(text);
    case Code::closed: throw Closed(text);
    case Code::conflict: throw Conflict(text);
    case Code::remote_error: throw RemoteError(text);
    case Code::worker_died: throw WorkerDied(text);
    case Code::end_of_file: throw EndOfFile(text);
    case Code::journal_error: throw JournalError(text);
    case Code::reply_lost: throw ReplyLost(text);
    case Code::ok: break;
  }
  throw Error(code, text);
}

std::exception_ptr make_error(Code code, const std::string& text) {
  try {
    throw_error(code, text);
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace tandem
