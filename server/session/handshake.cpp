#include "server/session/handshake.hpp"

#include <algorithm>

#include "client/common/crypto.hpp"

namespace tandem::server {

wire::Bytes Handshake::hello() {
  wire::Hello hello;
  hello.incarnation = credentials_.incarnation;
  credentials_.fill_random(hello.nonce);
  hello_ = wire::encode(hello);
  return hello_;
}

Handshake::Status Handshake::check(wire::Bytes received, Refusal& refusal) {
  std::size_t magic_seen = std::min(received.size(), wire::magic.size());
  if (!std::equal(received.begin(), received.begin() + static_cast<std::ptrdiff_t>(magic_seen),
                  wire::magic.begin())) {
    refusal = {
        Code::protocol_error, HandshakeFailure::garbage,
        "these are not the first bytes of a tandem client; this is a tandem manager, speaking version " +
            std::to_string(wire::protocol_version) + " of its protocol"};
    return Status::refused;
  }
  if (received.size() < wire::magic.size() + 2) return Status::incomplete;
  std::uint16_t version = wire::load_little<std::uint16_t>(received.data() + wire::magic.size());
  if (version != wire::protocol_version) {
    refusal = {Code::version_error, HandshakeFailure::version,
               "this manager speaks version " + std::to_string(wire::protocol_version) +
                   " of the protocol, the client version " + std::to_string(version)};
    return Status::refused;
  }
  if (received.size() < wire::answer_bytes) return Status::incomplete;

  std::copy_n(received.begin(), wire::answer_bytes, answer_as_sent_.begin());
  answer_ = wire::decode_answer(received.data());
  const wire::Bytes unproven = received.first(wire::answer_bytes - wire::proof_bytes);
  wire::Proof wanted = credentials_.sign({wire::as_bytes(wire::client_proof_label), hello_, unproven});
  if (!credentials_.equal(wanted, answer_.proof)) {
    const wire::Proof keyless =
        client::hmac_sha256({}, {wire::as_bytes(wire::client_proof_label), hello_, unproven});
    refusal = {Code::authentication_error, HandshakeFailure::authkey,
               !credentials_.has_authkey ? "the client has an authkey, and this manager has none"
               : credentials_.equal(keyless, answer_.proof)
                   ? "this manager wants an authkey and none was given: authkey_file or authkey of "
                     "tandem::Options, TANDEM_AUTHKEY_FILE, or --authkey-file of the command line"
                   : "the client's authkey is not the manager's"};
    return Status::refused;
  }
  if (answer_.purpose > wire::Purpose::resume) {
    refusal = {
        Code::protocol_error, HandshakeFailure::garbage,
        "there is no purpose " + std::to_string(static_cast<unsigned>(answer_.purpose)) + " of a channel"};
    return Status::refused;
  }
  return Status::proven;
}

std::array<std::uint8_t, wire::welcome_bytes> Handshake::prove(wire::Welcome welcome) const {
  auto unproven = wire::encode(welcome);
  welcome.proof = credentials_.sign({wire::as_bytes(wire::server_proof_label), hello_, answer_as_sent_,
                                     wire::Bytes(unproven).first(wire::welcome_bytes - wire::proof_bytes)});
  return wire::encode(welcome);
}

}  // namespace tandem::server
