#pragma once
// Requests that arrive in several frames, until they are complete.

#include <cstdint>
#include <map>

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
    bytes_ -= partial_request.payload.capacity();
    partial_request.payload.append(payload);
    bytes_ += partial_request.payload.capacity();
  }
  void discard(PartialRequest& partial_request) {
    bytes_ -= partial_request.payload.capacity();
    partial_request.payload = wire::Buffer();
    partial_request.discarded = true;
  }
  /// Removes the request and returns its payload. `assembly` is invalid afterwards.
  wire::Buffer take(PartialRequest& partial_request) {
    bytes_ -= partial_request.payload.capacity();
    wire::Buffer payload = std::move(partial_request.payload);
    by_request_.erase(partial_request.header.request);
    return payload;
  }

  std::size_t size() const { return by_request_.size(); }
  /// Memory held, in bytes.
  std::uint64_t bytes() const { return bytes_; }

 private:
  // Pointers to its elements stay valid. Not a hash table: clients choose the ids.
  std::map<std::uint32_t, PartialRequest> by_request_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::server
