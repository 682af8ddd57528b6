#pragma once
// Deferred reclamation: large contents are freed a bounded number of elements per step of the engine, so that
// no step stalls. References in them are released as they are freed, in an order that depends only on the
// steps.

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace tandem::server {

class ReclaimQueue {
 public:
  /// Whether contents should be deferred; smaller ones are freed at once.
  static bool is_large(std::uint64_t elements) { return elements > 256; }

  /// Takes over `contents`, which have `memory_bytes()` and `release_some(most)`; the latter frees about that
  /// many elements and returns how many, 0 if nothing is left.
  template <class Contents>
  void defer(Contents&& contents) {
    auto grave = std::make_unique<DeferredOf<std::decay_t<Contents>>>(std::forward<Contents>(contents));
    memory_bytes_ += grave->memory_bytes();
    deferred_.push_back(std::move(grave));
  }

  /// Frees about `most` elements, the oldest contents first. Returns how many; 0: the queue was empty.
  std::uint64_t release(std::uint64_t most) {
    std::uint64_t released = 0;
    while (released < most && !deferred_.empty()) {
      Deferred& grave = *deferred_.front();
      const std::uint64_t before = grave.memory_bytes();
      const std::uint64_t now = grave.release(most - released);
      released += now;
      memory_bytes_ -= before - grave.memory_bytes();
      if (now != 0) continue;
      memory_bytes_ -= grave.memory_bytes();
      deferred_.pop_front();
      ++released;
    }
    return released;
  }
  bool empty() const { return deferred_.empty(); }
  /// Memory of what is not freed yet.
  std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Deferred {
    virtual ~Deferred() = default;
    virtual std::uint64_t release(std::uint64_t most) = 0;
    virtual std::uint64_t memory_bytes() const = 0;
  };
  template <class Contents>
  struct DeferredOf final : Deferred {
    explicit DeferredOf(Contents&& c) : contents(std::move(c)) {}
    std::uint64_t release(std::uint64_t most) override { return contents.release_some(most); }
    std::uint64_t memory_bytes() const override { return contents.memory_bytes(); }
    Contents contents;
  };

  std::deque<std::unique_ptr<Deferred>> deferred_;
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace tandem::server
