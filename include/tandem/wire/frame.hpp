#pragma once
// The frames of tandem's protocol, version 2. Everything outside MessagePack values is little-endian.
//
//   channel    = handshake frame*                      handshake: see handshake.hpp
//   frame      = size:u32 kind:u8 body                 size: bytes after it; frame ≤ frame_bytes_max
//
//   client → server
//     kind 1   request   flags:u8 op:u16 request:u32 actor:u32 object:u64 payload
//     kind 2   part      flags:u8 0:u16  request:u32 payload          continues an unfinished request
//     kind 6   identify  flags:u8 0:u16  pid:u32                      pid of the client (after a fork)
//     kind 7   cancel    0:u8     0:u16  request:u32                  ends this request if it is waiting
//     kind 8   read      0:u8     0:u16  request:u32                  the reply to it, a kept one, has been read
//     kind 9   goodbye   0:u8     0:u16  0:u32                        last frame: the lane is not resumed
//   server → client
//     kind 3   reply     code:u8  flags:u16 request:u32 payload
//     kind 4   part      0:u8     flags:u16 request:u32 payload       continues an unfinished reply
//     kind 5   fault     code:u8  0:u16     0:u32 text                last frame: why the channel is closed
//
//   flags      bit 0 MORE: parts with the same request id follow; the message is all payloads joined in order
//              bit 1 ONE_WAY (requests): no reply is sent, whatever the outcome
//              bit 2 FENCED (requests): token:u64 precedes the arguments; the operation is refused with
//                    stale_token unless the lock grant with this token is still held
//              bit 3 HAS_READ_ALL (requests): every reply of the lane that was sent before has been read, or is not wanted
//              bit 4 AGAIN (requests): it was sent before, on a connection of this lane that has broken
//              bit 1 KEPT (replies): it is kept until the client says that it has read it
//   request    chosen by the client, unique among its unanswered requests on this channel. Many may be under
//              way; replies arrive in any order, and parts of different messages may be interleaved.
//   actor      the client's thread (any number that identifies it within the client)
//   object     id of the hosted object; 1 is the manager itself (ops/manager.hpp)
//   op         number of the operation among those of the object's type (ops/TYPE.hpp)
//   cancel     a waiting request is answered as if its time limit had run out; a cancel of one that was
//              answered or never made is ignored. So a cancelled request has one reply, as any other.
//   payload    of a request: a MessagePack array of the arguments, from whose end defaults may be omitted
//              of a reply with code 0: the result, one MessagePack value (nil if the operation has none)
//              of a reply with another code (error.hpp): the error's text, one MessagePack str
//
// A channel that has a lane (handshake.hpp) can be continued by another connection. Its client then sends again, whole and
// with AGAIN, what it has no reply to, one-way requests included unless a later request has its reply; and what was
// carried out is answered as the first time, and not carried out twice. Replies are read in the order in which they
// were sent; with one, all before it have been read.
//
// The payload of a request, all parts together, is at most message_bytes_max. A longer request is answered
// with resource_exhausted, its remaining parts are discarded, and the channel stays open. A frame longer than
// frame_bytes_max, of an unknown kind, or with a part of no message under way is a fault.

#include <bit>
#include <cstdint>
#include <cstring>

#include "tandem/error.hpp"
#include "tandem/wire/buffer.hpp"

namespace tandem::wire {

inline constexpr std::uint16_t protocol_version = 2;

enum class FrameKind : std::uint8_t {
  request = 1,
  request_part = 2,
  reply = 3,
  reply_part = 4,
  fault = 5,
  identify = 6,
  cancel = 7,
  read = 8,
  goodbye = 9
};

inline constexpr std::uint8_t flag_more = 1;
inline constexpr std::uint8_t flag_one_way = 2;
inline constexpr std::uint8_t flag_fenced = 4;
inline constexpr std::uint8_t flag_has_read_all = 8;
inline constexpr std::uint8_t flag_again = 16;
inline constexpr std::uint8_t flag_kept = 2;  // of replies
inline constexpr std::size_t reply_flags_offset = 6;
inline constexpr std::size_t request_flags_offset = 5;
inline constexpr std::size_t token_bytes = 8;

inline constexpr std::size_t size_field_bytes = 4;
inline constexpr std::size_t short_header_bytes = 12;    // size, kind, flags or code, u16, request id
inline constexpr std::size_t request_header_bytes = 24;  // the same, then actor and object

struct RequestHeader {
  std::uint8_t flags = 0;
  std::uint16_t op = 0;
  std::uint32_t request = 0;
  std::uint32_t actor = 0;
  std::uint64_t object = 0;
};

struct ReplyHeader {
  Code code = Code::ok;
  std::uint16_t flags = 0;
  std::uint32_t request = 0;
};

template <class U>
inline void store_little(std::uint8_t* at, U value) {
  static_assert(std::endian::native == std::endian::little, "tandem runs on little-endian machines");
  std::memcpy(at, &value, sizeof value);
}
template <class U>
inline U load_little(const std::uint8_t* at) {
  U value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Writes a request's header to the `request_header_bytes` at `at`; `frame_bytes` is the whole frame's
/// length.
inline void store_request_header(std::uint8_t* at, std::size_t frame_bytes, const RequestHeader& h) {
  store_little(at, static_cast<std::uint32_t>(frame_bytes - size_field_bytes));
  at[4] = static_cast<std::uint8_t>(FrameKind::request);
  at[5] = h.flags;
  store_little(at + 6, h.op);
  store_little(at + 8, h.request);
  store_little(at + 12, h.actor);
  store_little(at + 16, h.object);
}
/// Writes the header of all other kinds to the `short_header_bytes` at `at`.
inline void store_short_header(std::uint8_t* at, std::size_t frame_bytes, FrameKind kind, std::uint8_t byte,
                               std::uint16_t word, std::uint32_t request) {
  store_little(at, static_cast<std::uint32_t>(frame_bytes - size_field_bytes));
  at[4] = static_cast<std::uint8_t>(kind);
  at[5] = byte;
  store_little(at + 6, word);
  store_little(at + 8, request);
}

inline RequestHeader load_request_header(const std::uint8_t* at) {
  return {at[5], load_little<std::uint16_t>(at + 6), load_little<std::uint32_t>(at + 8),
          load_little<std::uint32_t>(at + 12), load_little<std::uint64_t>(at + 16)};
}
inline ReplyHeader load_reply_header(const std::uint8_t* at) {
  return {static_cast<Code>(at[5]), load_little<std::uint16_t>(at + 6), load_little<std::uint32_t>(at + 8)};
}

/// A frame found at the front of received bytes.
struct Frame {
  FrameKind kind = FrameKind::fault;
  Bytes bytes;  // the whole frame, its size field included

  RequestHeader request_header() const { return load_request_header(bytes.data()); }
  ReplyHeader reply_header() const { return load_reply_header(bytes.data()); }
  Bytes request_payload() const { return bytes.subspan(request_header_bytes); }
  Bytes short_payload() const { return bytes.subspan(short_header_bytes); }
};

enum class FrameStatus : std::uint8_t { complete, incomplete, too_long, malformed };

/// Looks for a frame at the front of `received`. `needed` is set to the frame's total number of bytes, as far
/// as known. `too_long`: over `frame_bytes_max`; `malformed`: an unknown kind, or shorter than its header.
inline FrameStatus next_frame(Bytes received, std::uint64_t frame_bytes_max, Frame& frame,
                              std::size_t& needed) {
  needed = short_header_bytes;
  if (received.size() < size_field_bytes) return FrameStatus::incomplete;
  std::size_t size = std::size_t{load_little<std::uint32_t>(received.data())} + size_field_bytes;
  if (size > frame_bytes_max) return FrameStatus::too_long;
  if (size < short_header_bytes) return FrameStatus::malformed;
  if (received.size() < short_header_bytes) return FrameStatus::incomplete;
  auto kind = static_cast<FrameKind>(received[4]);
  if (kind < FrameKind::request || kind > FrameKind::goodbye) return FrameStatus::malformed;
  if (kind == FrameKind::request && size < request_header_bytes) return FrameStatus::malformed;
  needed = size;
  if (received.size() < size) return FrameStatus::incomplete;
  frame = {kind, received.first(size)};
  return FrameStatus::complete;
}

}  // namespace tandem::wire
