#pragma once
// The server's side of the handshake (wire/handshake.hpp): bytes in, a verdict out. Who may have a session is another
// question; see Service::admit.

#include <optional>
#include <string>

#include "server/session/credentials.hpp"
#include "server/session/statistics.hpp"
#include "tandem/limits.hpp"

namespace tandem::server {

/// Why a channel gets no further: what the client is told, and what it is counted as.
struct Refusal {
  Code code = Code::ok;
  HandshakeFailure reason = HandshakeFailure::garbage;
  std::string text;
};

class Handshake {
 public:
  explicit Handshake(const Credentials& credentials) : credentials_(credentials) {}

  /// The first message. Draws the nonce.
  wire::Bytes hello();

  enum class Status : std::uint8_t { incomplete, proven, refused };
  /// Looks at all that the client has sent so far. `proven`: its first answer_bytes are a good Answer, see answer().
  /// Refuses as early as it can: a client of another version may never send that many.
  Status check(wire::Bytes received, Refusal& refusal);
  const wire::Answer& answer() const { return answer_; }

  /// The last message, to a client that was proven, but for its proof, which this adds.
  std::array<std::uint8_t, wire::welcome_bytes> prove(wire::Welcome welcome) const;

 private:
  const Credentials& credentials_;
  std::array<std::uint8_t, wire::hello_bytes> hello_{};
  std::array<std::uint8_t, wire::answer_bytes> answer_as_sent_{};
  wire::Answer answer_;
};

}  // namespace tandem::server
