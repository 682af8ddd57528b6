#include "client/transport/handshake.hpp"

#include <unistd.h>

#include <array>
#include <bit>
#include <span>

#include "client/common/crypto.hpp"
#include "tandem/wire/ring.hpp"

namespace tandem::client {
namespace {

constexpr std::size_t code_offset = 6;  // after magic and version: the code of Welcome, zero in Hello
constexpr std::size_t prefix_bytes = 8;
constexpr std::uint64_t frame_bytes_least = 4096;

[[noreturn]] void no_manager(const std::string& address, const char* why) {
  throw ProtocolError(address + ": what listens there is not a tandem manager (" + why + ")");
}

/// Checks magic and version as soon as enough bytes are received: another version's messages may have another
/// length.
void check_beginning(const std::uint8_t* at, std::size_t received, const std::string& address) {
  if (received >= wire::magic.size() && !wire::has_magic(at))
    no_manager(address, "its first bytes are not ours");
  if (received < code_offset) return;
  auto version = wire::load_little<std::uint16_t>(at + wire::magic.size());
  if (version != wire::protocol_version)
    throw VersionError(address + ": the manager speaks version " + std::to_string(version) +
                       " of the protocol, this client version " + std::to_string(wire::protocol_version));
}

void send_all(Stream& stream, wire::Bytes bytes, const os::Deadline& deadline) {
  while (!bytes.empty()) bytes = bytes.subspan(stream.send(bytes, deadline.remaining()));
}

void receive_exactly(Stream& stream, std::span<std::uint8_t> out, const os::Deadline& deadline) {
  while (!out.empty()) out = out.subspan(stream.receive(out.data(), out.size(), deadline.remaining()));
}

/// Receives the rest of a refusal, after its code, and throws it.
[[noreturn]] void receive_refusal(Stream& stream, std::uint16_t code, const std::string& address,
                                  const os::Deadline& deadline) {
  std::array<std::uint8_t, 4> length_field{};
  receive_exactly(stream, length_field, deadline);
  auto length = wire::load_little<std::uint32_t>(length_field.data());
  if (length > wire::refusal_text_bytes_max) no_manager(address, "its refusal is too long");
  std::string text(length, '\0');
  receive_exactly(stream, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}, deadline);
  throw_error(static_cast<Code>(code), address + ": the manager refused the connection: " + text);
}

/// Receives a message of the manager. Throws if it is a refusal, which may replace any message.
void receive_message(Stream& stream, std::span<std::uint8_t> out, const std::string& address,
                     const os::Deadline& deadline) {
  std::size_t received = 0;
  while (received < prefix_bytes) {
    received += stream.receive(out.data() + received, prefix_bytes - received, deadline.remaining());
    check_beginning(out.data(), received, address);
  }
  auto code = wire::load_little<std::uint16_t>(out.data() + code_offset);
  if (code != 0) receive_refusal(stream, code, address, deadline);
  receive_exactly(stream, out.subspan(prefix_bytes), deadline);
}

bool is_ring_size(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= wire::ring_bytes_least && bytes <= wire::ring_bytes_most;
}

Admission converse(Stream& stream, std::string_view authkey, const OpenRequest& request,
                   const Greeting& greeting, const os::Deadline& deadline) {
  const std::string& address = greeting.address;
  std::array<std::uint8_t, wire::hello_bytes> hello{};
  receive_message(stream, hello, address, deadline);
  const wire::Incarnation incarnation = wire::decode_hello(hello.data()).incarnation;
  if (request.incarnation != wire::Incarnation{} && request.incarnation != incarnation)
    throw SessionLost(address + ": the manager was started anew, and what it hosted is gone");

  wire::Answer answer;
  answer.purpose = request.purpose;
  answer.session = request.session;
  answer.secret = request.secret;
  answer.pid = static_cast<std::uint32_t>(getpid());
  answer.wishes = (greeting.wants_ring ? wire::wish_ring : 0) | (request.wants_lane ? wire::wish_lane : 0);
  answer.lane = request.lane;
  random_bytes(answer.nonce);
  auto answer_bytes = wire::encode(answer);
  auto answer_proofless = wire::Bytes(answer_bytes).first(wire::answer_bytes - wire::proof_bytes);
  answer.proof = hmac_sha256(authkey, {wire::as_bytes(wire::client_proof_label), hello, answer_proofless});
  answer_bytes = wire::encode(answer);
  send_all(stream, answer_bytes, deadline);

  std::array<std::uint8_t, wire::welcome_bytes> bytes{};
  receive_message(stream, bytes, address, deadline);
  wire::Welcome welcome = wire::decode_welcome(bytes.data());
  auto welcome_proofless = wire::Bytes(bytes).first(wire::welcome_bytes - wire::proof_bytes);
  wire::Proof expected = hmac_sha256(
      authkey, {wire::as_bytes(wire::server_proof_label), hello, answer_bytes, welcome_proofless});
  if (!equal_constant_time(expected, welcome.proof))
    throw AuthenticationError(address + ": the manager could not prove that it holds the same authkey");
  if (welcome.frame_bytes_max < frame_bytes_least) no_manager(address, "its frames are too short");
  if (welcome.ring_bytes != 0 && !(greeting.wants_ring && is_ring_size(welcome.ring_bytes)))
    no_manager(address, "its shared memory has a size that cannot be");
  return {incarnation, welcome};
}

}  // namespace

Admission shake_hands(Stream& stream, std::string_view authkey, const OpenRequest& request,
                      const Greeting& greeting, const os::Deadline& deadline) {
  const std::string& address = greeting.address;
  try {
    return converse(stream, authkey, request, greeting, deadline);
  } catch (const os::TimedOut&) {
    throw Timeout(address + ": no handshake within " + std::to_string(deadline.limit().count()) +
                  " ms (connect_timeout)");
  } catch (const StreamClosed& closed) {
    throw ConnectionError(address + ": " + closed.what() + " during the handshake");
  }
}

}  // namespace tandem::client
