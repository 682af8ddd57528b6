#pragma once
// Requests that travel in several frames, while they arrive.

#include <cstdint>
#include <unordered_map>

#include "tandem/wire/frame.hpp"

namespace tandem::server {

struct PartialRequest {
  wire::RequestHeader header;
  wire::Buffer payload;
  bool discarded = false;  // refused already; the parts that still come are dropped
};

/// The unfinished requests of one channel, by request id.
class PartialRequests {
 public:
  /// Null when a request of this id is unfinished.
  PartialRequest* begin(const wire::RequestHeader& header) {
    auto [at, is_new] = by_request_.try_emplace(header.request);
    if (!is_new) return nullptr;
    at->second.header = header;
    return &at->second;
  }
  /// Null when no request of this id is unfinished.
  PartialRequest* find(std::uint32_t request) {
    auto at = by_request_.find(request);
    return at == by_request_.end() ? nullptr : &at->second;
  }
  void append(PartialRequest& assembly, wire::Bytes payload) {
    bytes_ -= assembly.payload.capacity();
    assembly.payload.append(payload);
    bytes_ += assembly.payload.capacity();
  }
  void discard(PartialRequest& assembly) {
    bytes_ -= assembly.payload.capacity();
    assembly.payload = wire::Buffer();
    assembly.discarded = true;
  }
  /// The payload as it is, out of the assembly, which is no more.
  wire::Buffer take(PartialRequest& assembly) {
    bytes_ -= assembly.payload.capacity();
    wire::Buffer payload = std::move(assembly.payload);
    by_request_.erase(assembly.header.request);
    return payload;
  }

  std::size_t size() const { return by_request_.size(); }
  /// Memory held.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::unordered_map<std::uint32_t, PartialRequest> by_request_;  // its nodes stay where they are
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::server
