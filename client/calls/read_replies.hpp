#pragma once
// Which replies a pipelining caller has read, so that the manager need not keep them.

#include "client/session/channel.hpp"

namespace tandem::client {

/// The kept replies that were read since the manager was last told of one. It is told now and then: each time is an input
/// that it records.
class ReadReplies {
 public:
  void note(const NumberedReply& reply) {
    if (!reply.is_kept) [[likely]]
      return;
    last_ = reply.request;
    ++count_;
    bytes_ += reply.payload.size();
  }
  void append_if_many(wire::Buffer& out) {
    if (count_ < count_min && bytes_ < bytes_min) [[likely]]
      return;
    Channel::append_acknowledgement(out, last_);
    count_ = 0;
    bytes_ = 0;
  }

 private:
  static constexpr std::size_t count_min = 32;
  static constexpr std::size_t bytes_min = std::size_t{64} << 10;
  std::uint32_t last_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tandem::client
