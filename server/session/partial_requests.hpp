#pragma once
// Requests that arrive in several frames, until they are complete.

#include <cstdint>
#include <map>
#include <span>

#include "tandem/wire/frame.hpp"

namespace tandem::server {

struct PartialRequest {
  wire::RequestHeader header;
  wire::Buffer payload;
  bool discarded = false;  // already refused; further parts are dropped
};

/// The unfinished requests of one channel, by request id.
class PartialRequests {
 public:
  /// Returns null if a request with this id is unfinished.
  PartialRequest* begin(const wire::RequestHeader& header) {
    auto [at, is_new] = by_request_.try_emplace(header.request);
    if (!is_new) return nullptr;
    at->second.header = header;
    return &at->second;
  }
  /// Returns null if no request with this id is unfinished.
  PartialRequest* find(std::uint32_t request) {
    auto at = by_request_.find(request);
    return at == by_request_.end() ? nullptr : &at->second;
  }
  void append(PartialRequest& partial_request, wire::Bytes payload) {
    partial_request.payload.append(payload);
    bytes_ += payload.size();
  }
  /// Returns the room for `count` bytes more. Those that were stored there are then added by received().
  std::span<std::uint8_t> room(PartialRequest& partial_request, std::size_t count) {
    wire::Buffer& payload = partial_request.payload;
    if (payload.capacity() - payload.size() < count) {
      payload.extend(count);
      payload.truncate(payload.size() - count);
    }
    return {payload.data() + payload.size(), count};
  }
  void received(PartialRequest& partial_request, std::size_t count) {
    partial_request.payload.extend(count);
    bytes_ += count;
  }
  void discard(PartialRequest& partial_request) {
    bytes_ -= partial_request.payload.size();
    partial_request.payload = wire::Buffer();
    partial_request.discarded = true;
  }
  /// Removes the request and returns its payload. `assembly` is invalid afterwards.
  wire::Buffer take(PartialRequest& partial_request) {
    bytes_ -= partial_request.payload.size();
    wire::Buffer payload = std::move(partial_request.payload);
    by_request_.erase(partial_request.header.request);
    return payload;
  }

  std::size_t size() const { return by_request_.size(); }
  /// The bytes that have arrived of them. Room that nothing was stored in yet costs no memory.
  std::uint64_t bytes() const { return bytes_; }

 private:
  // Pointers to its elements stay valid. Not a hash table: clients choose the ids.
  std::map<std::uint32_t, PartialRequest> by_request_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::server
