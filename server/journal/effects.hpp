#pragma once
// What the inputs of a batch have led to, as one number: replies and deliveries, in order. A replay that leads to another
// one is not the same run: the manager that replays understands an input differently, or memory is broken.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server/engine/engine.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::server {

class EffectsHash {
 public:
  EffectsHash() { reset(); }
  EffectsHash(const EffectsHash&) = delete;
  EffectsHash& operator=(const EffectsHash&) = delete;

  void reset() { XXH3_64bits_reset(&state_); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

  /// A call's outcome; its reply is what was appended to `reply` from `at` on.
  void add(const Outcome& outcome, const wire::Buffer& reply, std::size_t at) {
    const wire::Bytes front = reply.view_from(at);
    const wire::Bytes tail = outcome.tail == nullptr ? wire::Bytes() : outcome.tail->bytes;
    add_header(outcome.parked, outcome.code, front.size() + tail.size());
    add(front);
    add(tail);
  }
  /// The deliveries from the `first` on.
  void add(const Deliveries& deliveries, std::size_t first) {
    for (std::size_t i = first; i < deliveries.all().size(); ++i) {
      const Deliveries::Delivery& one = deliveries.all()[i];
      const wire::Bytes payload = deliveries.payload(one);
      add_header(one.ticket, one.code, payload.size());
      add(payload);
    }
  }

 private:
  void add(wire::Bytes bytes) {
    if (!bytes.empty()) XXH3_64bits_update(&state_, bytes.data(), bytes.size());
  }
  void add_header(Ticket ticket, Code code, std::uint64_t bytes) {
    std::uint8_t header[17];
    wire::store_little(header, ticket);
    wire::store_little(header + 8, bytes);
    header[16] = static_cast<std::uint8_t>(code);
    add(wire::Bytes(header, sizeof header));
  }

  XXH3_state_t state_;
};

}  // namespace tandem::server
