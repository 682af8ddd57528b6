#pragma once
// Bytes to be sent to a client: contiguous, so that one send takes them all. A reply is built in place: room
// for its header, then the payload that the engine appends, then the header is filled in. Only long values are
// elsewhere, shared with the object that contains them.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/values/shared_bytes.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {

class Outbox {
 public:
  /// The engine appends the payload of the reply started by begin_reply() here.
  wire::Buffer& buffer() { return buffer_; }

  /// Starts a reply. Returns its position, for finish_reply() or abandon_reply().
  std::size_t begin_reply() {
    std::size_t at = buffer_.size();
    buffer_.extend(wire::short_header_bytes);
    return at;
  }
  /// Bytes of the reply begun at `at`, header included.
  std::size_t reply_bytes(std::size_t at) const { return buffer_.size() - at; }
  /// The payload is complete. A frame longer than `frame_bytes_max` is split.
  void finish_reply(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max) {
    ++unread_replies_;
    std::size_t frame_bytes = reply_bytes(at);
    if (frame_bytes > frame_bytes_max) [[unlikely]]
      return cut(at, code, request, frame_bytes_max);
    wire::store_short_header(buffer_.data() + at, frame_bytes, wire::FrameKind::reply,
                             static_cast<std::uint8_t>(code), 0, request);
  }
  /// The same, and `tail` follows what is in the buffer.
  void finish_long_reply(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max,
                         const SharedBytes& tail);
  void abandon_reply(std::size_t at) { buffer_.truncate(at); }
  /// The finished reply at `at` is kept until the client says that it has read it.
  void mark_kept(std::size_t at) { buffer_.data()[at + wire::reply_flags_offset] |= wire::flag_kept; }

  /// Appends a message of the handshake; only before the first frame.
  void append_raw(wire::Bytes bytes) {
    buffer_.append(bytes);
    boundary_ = buffer_.size();
  }
  void append_fault(Code code, std::string_view text);

  /// What was appended since the last call is not to be sent before the input with this index is safe. Indexes never
  /// decrease.
  void hold(std::uint64_t index, std::uint64_t safe_index);
  /// The same for the reply that was begun at `at` and is the last, unless something before it waits to be judged: then that
  /// is judged together, later.
  void hold_reply(std::size_t at, std::uint64_t index, std::uint64_t safe_index) {
    if (held_up_to_ == at && index <= safe_index) held_up_to_ = buffer_.size();
  }
  /// What waited for this input, or for one before it, may be sent.
  void release(std::uint64_t safe_index);
  bool holds() const { return gates_ != nullptr; }

  /// The next bytes to be sent, and all of them unless some are shared or held.
  wire::Bytes unsent() const {
    if (shared_ == nullptr && gates_ == nullptr) [[likely]]
      return buffer_.view_from(sent_);
    return unsent_in_pieces();
  }
  bool in_pieces() const { return shared_ != nullptr; }
  std::size_t unsent_bytes() const { return buffer_.size() - sent_ + unsent_shared_bytes_; }
  /// Number of replies not completely sent.
  std::uint64_t unread_replies() const { return unread_replies_; }
  /// The transport took this many of the bytes of unsent().
  void sent(std::size_t count) {
    if (shared_ != nullptr) [[unlikely]]
      return sent_with_shared(count);
    sent_ += count;
    if (sent_ == buffer_.size()) [[likely]]
      reset();
    else advance();
  }

 private:
  static constexpr std::size_t bytes_kept = 64 * 1024;  // capacity that an empty outbox keeps

  void reset() {
    buffer_.clear();
    buffer_.shrink(bytes_kept);
    sent_ = boundary_ = held_up_to_ = 0;
    unread_replies_ = 0;
  }
  void advance();
  wire::Bytes unsent_in_pieces() const;
  void sent_with_shared(std::size_t count);
  void cut(std::size_t at, Code code, std::uint32_t request, std::size_t frame_bytes_max);

  /// Ends a frame of which the beginning is in buffer_, up to `at`.
  struct SharedEnd {
    std::size_t at;
    SharedBytes owner;
    wire::Bytes bytes;
    std::size_t sent = 0;
  };

  wire::Buffer buffer_;
  std::unique_ptr<std::vector<SharedEnd>> shared_;  // of frames from boundary_ on; null: there are none
  std::size_t unsent_shared_bytes_ = 0;
  std::size_t sent_ = 0;
  std::size_t boundary_ = 0;  // start of the first frame not completely sent, as of the last partial send
  std::uint64_t unread_replies_ = 0;

  /// What is in buffer_ from `begin` on, with what is shared behind it, is held until `index`.
  struct Gate {
    std::size_t begin;
    std::uint64_t index;
  };
  std::unique_ptr<std::vector<Gate>> gates_;  // in order; null: there are none
  std::size_t held_up_to_ = 0;                // up to here hold() was called
};

}  // namespace tandem::server
