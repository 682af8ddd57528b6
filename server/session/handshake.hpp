#pragma once
// The server's side of the handshake (wire/handshake.hpp): bytes in, a verdict out. Service::admit decides
// whether the client then gets a session.

#include <optional>
#include <string>

#include "server/session/credentials.hpp"
#include "server/session/statistics.hpp"
#include "tandem/limits.hpp"

namespace tandem::server {

/// Why a channel is refused: the error sent to the client, and the reason under which it is counted.
struct Refusal {
  Code code = Code::ok;
  HandshakeFailure reason = HandshakeFailure::garbage;
  std::string text;
};

class Handshake {
 public:
  explicit Handshake(const Credentials& credentials) : credentials_(credentials) {}

  /// Generates the nonce and returns the first message.
  wire::Bytes hello();

  enum class Status : std::uint8_t { incomplete, proven, refused };
  /// Checks everything that the client has sent so far. `proven`: its first answer_bytes are a valid Answer,
  /// see answer(). Refuses as early as possible: a client of another version may never send that many bytes.
  Status check(wire::Bytes received, Refusal& refusal);
  const wire::Answer& answer() const { return answer_; }

  /// Returns the last message, for a client that was proven: `welcome` with the proof added.
  std::array<std::uint8_t, wire::welcome_bytes> prove(wire::Welcome welcome) const;

 private:
  const Credentials& credentials_;
  std::array<std::uint8_t, wire::hello_bytes> hello_{};
  std::array<std::uint8_t, wire::answer_bytes> answer_as_sent_{};
  wire::Answer answer_;
};

}  // namespace tandem::server
