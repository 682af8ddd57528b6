#include "server/session/statistics.hpp"

namespace tandem::server {

std::string_view name_of(HandshakeFailure reason) {
  switch (reason) {
    case HandshakeFailure::garbage: return "garbage";
    case HandshakeFailure::version: return "version";
    case HandshakeFailure::authkey: return "authkey";
    case HandshakeFailure::uid: return "uid";
    case HandshakeFailure::session: return "session";
    case HandshakeFailure::limit: return "limit";
    case HandshakeFailure::timeout: return "timeout";
    case HandshakeFailure::cut_short: return "cut_short";
    case HandshakeFailure::shutting_down: return "shutting_down";
  }
  return "unknown";
}

}  // namespace tandem::server
