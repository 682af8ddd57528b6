#pragma once
// One channel, from handshake to end: bytes in, frames, Engine::step, bytes out. It contains no socket code;
// a transport feeds and drains it:
//
//   start()                      appends the first message: the manager speaks first
//   input_space(), received(n)   n bytes were read into the space; the frames in them are carried out
//   resume()                     continues with frames that were held back
//   unsent(), sent(n)            after each of these: n of the unsent bytes were sent (0: none could be sent)
//   wants_input(), wants_turn(), ending()   what to do next
//
// Frames are held back, and nothing more is read, while too many replies are unsent, and until the next turn
// when this one has taken long, so that a client with many or slow requests does not delay the others.

#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "server/session/outbox.hpp"
#include "server/session/partial_requests.hpp"
#include "server/session/service.hpp"

namespace tandem::server {

class Channel {
 public:
  /// Unsent bytes above which a channel handles no further requests.
  static constexpr std::size_t unsent_bytes_high = 1024 * 1024;
  /// Duration of a turn after which no further frame is handled, so that other channels get their turns.
  static constexpr std::uint64_t turn_ns_max = 1'000'000;

  Channel(Service& service, TransportHandle& link, Peer peer);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void start();
  /// Never empty. Valid until the next call.
  std::span<std::uint8_t> input_space();
  void received(std::size_t count);
  /// What may be sent now.
  wire::Bytes unsent() {
    if (has_journal_) [[unlikely]]
      hold_unsafe();
    return outbox_.unsent();
  }
  /// Whether something that may be sent is left of the last unsent().
  bool is_unsent() const { return !outbox_.unsent().empty(); }
  /// Whether there is more that may not be sent yet. The transport is woken when it may.
  bool holds_unsent() const { return outbox_.holds(); }
  /// Whether unsent() may not be all.
  bool unsent_in_pieces() const { return outbox_.in_pieces(); }
  void sent(std::size_t count);
  /// Returns false if there was nothing to continue with.
  bool resume();

  bool wants_input() const {
    return state_ <= State::open && !waiting_ && !held_back() && !is_journal_behind();
  }
  /// Whether held-back frames can be handled in the next turn.
  bool wants_turn() const { return waiting_ && !held_back() && !is_journal_behind(); }
  /// Nothing more is read; the transport closes the channel once everything is sent.
  bool ending() const { return state_ == State::ending; }
  bool greeting() const { return state_ == State::greeting; }

  /// The client will send nothing more.
  void end_of_input();
  void handshake_timed_out();
  /// Leaves the session, which ends with its last channel. For an ending channel, before it is destroyed.
  void leave_session();
  /// Appends the reply to a parked request.
  void answer_parked(std::uint32_t request, Code code, wire::Bytes payload);
  /// The session has ended although the client may be alive: sends it a session_lost fault, and ends the
  /// channel.
  void lose_session(std::string_view text);
  /// The last reading of the clock.
  std::uint64_t now_ns() const { return now_ns_; }
  /// Informs the client that the manager is stopping, and ends the channel.
  void shut_down();
  TransportHandle& transport() { return transport_; }
  const TransportHandle& transport() const { return transport_; }

  const Peer& peer() const { return peer_; }
  const Session* session() const { return session_; }  // null during the handshake and after the session
  /// 0: it cannot be resumed.
  LaneId lane() const { return lane_; }
  /// Another channel continues the lane, and so what waits on it. This one ends, and is no longer of the session.
  void give_up_lane();
  /// Whether its client's process ids are those that this process sees, as far as it can be told.
  bool sees_same_pids() const { return peer_.pid != 0 && handshake_.answer().pid == peer_.pid; }
  /// The client's thread that used the channel last; none before the first request.
  std::optional<std::uint32_t> last_actor() const { return last_actor_; }

 private:
  // Replies up to this size are sent even when memory is short, so that a client can still query, and free.
  static constexpr std::size_t reply_always_bytes = 4096;
  static constexpr std::uint8_t request_flags =
      wire::flag_more | wire::flag_one_way | wire::flag_fenced | wire::flag_has_read_all | wire::flag_again;
  enum class State : std::uint8_t { greeting, open, ending };

  bool held_back() const {
    return outbox_.unsent_bytes() > unsent_bytes_high_ ||
           (outbox_.unsent_bytes() != 0 && service_.memory_exceeded_by(0));
  }
  bool is_journal_behind() const { return has_journal_ && service_.journal_is_behind(); }
  void hold_unsafe();
  void begin_turn();
  void take_from_inbox();
  void settle_accounts();
  std::uint64_t messages_bytes() const {
    return inbox_used_ + partial_requests_.bytes() + outbox_.unsent_bytes();
  }
  std::uint64_t requests_under_way() const {
    return partial_requests_.size() + parked_.size() + outbox_.unread_replies();
  }
  std::size_t consume(wire::Bytes bytes);
  std::size_t greet(wire::Bytes bytes);
  void refuse(const Refusal& refusal);
  void fault(Code code, std::string_view text);

  void handle(const wire::Frame& frame);
  [[gnu::always_inline]] inline void handle_request(const wire::Frame& frame);
  void handle_part(const wire::Frame& frame);
  void identify(const wire::Frame& frame);
  void cancel(const wire::Frame& frame);
  void acknowledge(const wire::Frame& frame);
  void say_goodbye(const wire::Frame& frame);
  void count_others();
  bool may_begin(const wire::RequestHeader& header) {
    return (header.flags & ~request_flags) == 0 &&
           (partial_requests_.size() == 0 || partial_requests_.find(header.request) == nullptr) &&
           (parked_.empty() || parked_.count(header.request) == 0);
  }
  void refuse_to_begin(const wire::RequestHeader& header);
  PartialRequest* begin_partial(const wire::RequestHeader& header);
  PartialRequest* partial_of(const std::uint8_t* part_header);
  void make_room(PartialRequest& partial_request, std::size_t bytes);
  void assemble(PartialRequest& partial_request, wire::Bytes payload, bool more);
  void assembled(PartialRequest& partial_request);
  bool begin_long_frame(wire::Bytes bytes);
  void received_of_long_frame(std::size_t count);
  void run(const wire::RequestHeader& header, wire::Bytes arguments, wire::Buffer* memory = nullptr);
  [[gnu::always_inline]] inline void finish_call(std::size_t at, const wire::RequestHeader& header, Code code,
                                                 SharedBytes::Block* tail = nullptr);
  void finish_long_call(std::size_t at, const wire::RequestHeader& header, Code code, SharedBytes tail);
  bool reply_fits(std::size_t at, std::size_t tail_bytes) const {
    if (others_outbox_bytes_ + outbox_.unsent_bytes() + tail_bytes > service_.limits().outbox_bytes_max)
      return false;
    return outbox_.reply_bytes(at) + tail_bytes <= reply_always_bytes ||
           !service_.memory_exceeded_by(messages_bytes() + tail_bytes - counted_messages_bytes_);
  }
  void replace_reply(std::size_t at, std::size_t tail_bytes, const wire::RequestHeader& header);
  void give_back_references(std::size_t at, std::uint32_t actor);
  void refuse_request(const wire::RequestHeader& header, std::string_view text);
  void reply_error(std::uint32_t request, Code code, std::string_view text);
  bool too_many_under_way() const {
    return others_requests_ + requests_under_way() >= service_.limits().requests_under_way_max;
  }

  // Set by the transport.
  Service& service_;
  const bool has_journal_;
  TransportHandle& transport_;
  Peer peer_;
  const std::uint64_t number_;       // in the order of acceptance
  std::uint64_t unsent_bytes_high_;  // unsent_bytes_high, or less under a small outbox_bytes_max

  // State of the protocol.
  State state_ = State::greeting;
  Handshake handshake_;
  Session* session_ = nullptr;
  LaneId lane_ = 0;
  bool said_goodbye_ = false;
  std::optional<std::uint32_t> last_actor_;

  // Bytes and requests in progress.
  wire::Buffer inbox_;          // received, not handled: part of a frame, or frames held back
  std::size_t inbox_used_ = 0;  // of inbox_; the rest is space returned by input_space()
  std::size_t needed_ = 0;      // total size of the frame at the front of inbox_
  bool waiting_ = false;        // inbox_ may begin with a complete frame
  Outbox outbox_;
  PartialRequests partial_requests_;
  // The frame whose payload goes straight to where its request is put together.
  struct LongFrame {
    std::uint32_t request = 0;
    std::size_t left = 0;  // bytes to come; 0: there is no such frame
    bool more = false;
  };
  LongFrame long_frame_;
  // Requests that wait in the engine, by request id. Not a hash table: clients choose the ids.
  std::map<std::uint32_t, Ticket> parked_;

  // This channel's share of the session's and the service's totals, as of the last settle_accounts().
  std::uint64_t counted_outbox_bytes_ = 0;
  std::uint64_t counted_requests_ = 0;
  std::uint64_t counted_messages_bytes_ = 0;
  // Totals of the session's other channels, as of the last count_others(); then when this turn began, and the
  // last reading of the clock.
  std::uint64_t others_outbox_bytes_ = 0;
  std::uint64_t others_requests_ = 0;
  std::uint64_t turn_began_ns_ = 0;
  std::uint64_t now_ns_ = 0;
};

}  // namespace tandem::server
