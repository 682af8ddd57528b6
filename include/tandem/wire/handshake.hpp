#pragma once
// The handshake, in three messages; little-endian, fixed layout. The server speaks first.
//
//   server → client   Hello     magic:"TNDM" version:u16 0:u16 incarnation:16 nonce:32             56 bytes
//   client → server   Answer    magic:"TNDM" version:u16 purpose:u16 session:u64 secret:16 pid:u32 wishes:u32
//                               lane:u32 0:u32 nonce:32 proof:32                                   112 bytes
//   server → client   Welcome   magic:"TNDM" version:u16 code:u16
//                     code 0:   session:u64 secret:16 frame_bytes_max:u64 message_bytes_max:u64
//                               value_depth_max:u64 requests_under_way_max:u64 lease_ms:u64
//                               ring_bytes:u64 lane:u32 0:u32 resume_ms:u64 grace_ms:u64 start:u64
//                               proof:32                                                           144 bytes
//                     else:     length:u32 text               why the channel is refused; then it is closed
//
//   purpose   0 open    a new session; session and secret are zero
//             1 join    one more channel of the session that session and secret identify
//             2 inherit a new session with the references of that session, for a child process to be forked
//             3 resume  the channel of that session whose connection broke and which has this lane; not_found if the
//                       lane has ended
//   lease_ms  the session ends if the manager hears nothing from its client for this long; 0: only with its
//             last channel. An idle client sends a ping in time.
//   wishes    1: continue through shared memory (ring.hpp), if the manager can
//             2: a lane, so that the channel can be resumed, if the manager can
//   lane      names the channel within its session; 0: it cannot be resumed
//   resume_ms   a lane ends when no connection has resumed it for so long
//   grace_ms    after a start of the manager, how long it waits for the lanes of the last one
//   start     number of the manager's start, 1, 2, 3, …, which does not end the session; 0: the next one will, since there
//             is no journal
//   ring_bytes  the channel continues through rings of this size, passed next on the socket; 0: on the socket
//   proof     the client's: HMAC-SHA256(authkey, "tandem client" Hello Answer-without-proof)
//             the server's: HMAC-SHA256(authkey, "tandem server" Hello Answer Welcome-without-proof)
//
// Both proofs cover both nonces and all messages so far, so they cannot be replayed or reused elsewhere, and
// the key is never sent. Without an authkey the key is empty and the proofs prove nothing; the server then
// checks the peer's uid (unix sockets only). A side that receives another magic or version reports it and
// closes.

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::wire {

inline constexpr std::array<std::uint8_t, 4> magic{'T', 'N', 'D', 'M'};

inline constexpr std::size_t hello_bytes = 56;
inline constexpr std::size_t answer_bytes = 112;
inline constexpr std::size_t welcome_bytes = 144;
inline constexpr std::size_t refusal_header_bytes = 12;  // magic, version, code, length of the text
inline constexpr std::size_t refusal_text_bytes_max = 4096;
inline constexpr std::size_t proof_bytes = 32;

inline constexpr std::string_view client_proof_label = "tandem client";
inline constexpr std::string_view server_proof_label = "tandem server";

using Nonce = std::array<std::uint8_t, 32>;
using Proof = std::array<std::uint8_t, proof_bytes>;
// Random, new at each start of a manager; with a journal, at its first start.
using Incarnation = std::array<std::uint8_t, 16>;
using Secret = std::array<std::uint8_t, 16>;  // lets a process add channels to its session

inline constexpr std::uint32_t wish_ring = 1;
inline constexpr std::uint32_t wish_lane = 2;

enum class Purpose : std::uint16_t { open = 0, join = 1, inherit = 2, resume = 3 };

struct Hello {
  std::uint16_t version = protocol_version;
  Incarnation incarnation{};
  Nonce nonce{};
};

struct Answer {
  std::uint16_t version = protocol_version;
  Purpose purpose = Purpose::open;
  std::uint64_t session = 0;
  Secret secret{};
  std::uint32_t pid = 0;
  std::uint32_t wishes = 0;
  std::uint32_t lane = 0;
  Nonce nonce{};
  Proof proof{};
};

struct Welcome {
  std::uint64_t session = 0;
  Secret secret{};
  std::uint64_t frame_bytes_max = 0;
  std::uint64_t message_bytes_max = 0;
  std::uint64_t value_depth_max = 0;
  std::uint64_t requests_under_way_max = 0;
  std::uint64_t lease_ms = 0;
  std::uint64_t ring_bytes = 0;
  std::uint32_t lane = 0;
  std::uint64_t resume_ms = 0;
  std::uint64_t grace_ms = 0;
  std::uint64_t start = 0;
  Proof proof{};
};

/// LayoutWriter and LayoutReader store and load the fields of a fixed layout in order.
class LayoutWriter {
 public:
  explicit LayoutWriter(std::uint8_t* at) : at_(at) {}
  template <class U>
  LayoutWriter& number(U v) {
    store_little(at_, v);
    at_ += sizeof v;
    return *this;
  }
  template <std::size_t N>
  LayoutWriter& bytes(const std::array<std::uint8_t, N>& v) {
    std::memcpy(at_, v.data(), N);
    at_ += N;
    return *this;
  }

 private:
  std::uint8_t* at_;
};

class LayoutReader {
 public:
  explicit LayoutReader(const std::uint8_t* at) : at_(at) {}
  template <class U>
  LayoutReader& number(U& v) {
    v = load_little<U>(at_);
    at_ += sizeof v;
    return *this;
  }
  template <std::size_t N>
  LayoutReader& bytes(std::array<std::uint8_t, N>& v) {
    std::memcpy(v.data(), at_, N);
    at_ += N;
    return *this;
  }

 private:
  const std::uint8_t* at_;
};

inline std::array<std::uint8_t, hello_bytes> encode(const Hello& h) {
  std::array<std::uint8_t, hello_bytes> out{};
  LayoutWriter(out.data())
      .bytes(magic)
      .number(h.version)
      .number(std::uint16_t{0})
      .bytes(h.incarnation)
      .bytes(h.nonce);
  return out;
}
inline Hello decode_hello(const std::uint8_t* at) {
  Hello h;
  std::uint16_t zero = 0;
  LayoutReader(at + magic.size()).number(h.version).number(zero).bytes(h.incarnation).bytes(h.nonce);
  return h;
}

/// The proof is the last field and covers everything before it.
inline std::array<std::uint8_t, answer_bytes> encode(const Answer& a) {
  std::array<std::uint8_t, answer_bytes> out{};
  LayoutWriter(out.data())
      .bytes(magic)
      .number(a.version)
      .number(static_cast<std::uint16_t>(a.purpose))
      .number(a.session)
      .bytes(a.secret)
      .number(a.pid)
      .number(a.wishes)
      .number(a.lane)
      .number(std::uint32_t{0})
      .bytes(a.nonce)
      .bytes(a.proof);
  return out;
}
inline Answer decode_answer(const std::uint8_t* at) {
  Answer a;
  std::uint16_t purpose = 0;
  std::uint32_t zero = 0;
  LayoutReader(at + magic.size())
      .number(a.version)
      .number(purpose)
      .number(a.session)
      .bytes(a.secret)
      .number(a.pid)
      .number(a.wishes)
      .number(a.lane)
      .number(zero)
      .bytes(a.nonce)
      .bytes(a.proof);
  a.purpose = static_cast<Purpose>(purpose);
  return a;
}

inline std::array<std::uint8_t, welcome_bytes> encode(const Welcome& w) {
  std::array<std::uint8_t, welcome_bytes> out{};
  LayoutWriter(out.data())
      .bytes(magic)
      .number(protocol_version)
      .number(std::uint16_t{0})
      .number(w.session)
      .bytes(w.secret)
      .number(w.frame_bytes_max)
      .number(w.message_bytes_max)
      .number(w.value_depth_max)
      .number(w.requests_under_way_max)
      .number(w.lease_ms)
      .number(w.ring_bytes)
      .number(w.lane)
      .number(std::uint32_t{0})
      .number(w.resume_ms)
      .number(w.grace_ms)
      .number(w.start)
      .bytes(w.proof);
  return out;
}
inline Welcome decode_welcome(const std::uint8_t* at) {
  Welcome w;
  std::uint32_t zero = 0;
  LayoutReader(at + magic.size() + 4)
      .number(w.session)
      .bytes(w.secret)
      .number(w.frame_bytes_max)
      .number(w.message_bytes_max)
      .number(w.value_depth_max)
      .number(w.requests_under_way_max)
      .number(w.lease_ms)
      .number(w.ring_bytes)
      .number(w.lane)
      .number(zero)
      .number(w.resume_ms)
      .number(w.grace_ms)
      .number(w.start)
      .bytes(w.proof);
  return w;
}

inline std::string encode_refusal(Code code, std::string_view text) {
  text = text.substr(0, refusal_text_bytes_max);
  std::string out(refusal_header_bytes, '\0');
  LayoutWriter(reinterpret_cast<std::uint8_t*>(out.data()))
      .bytes(magic)
      .number(protocol_version)
      .number(static_cast<std::uint16_t>(code))
      .number(static_cast<std::uint32_t>(text.size()));
  return out.append(text);
}

inline bool has_magic(const std::uint8_t* at) {
  return std::memcmp(at, magic.data(), magic.size()) == 0;
}

}  // namespace tandem::wire
