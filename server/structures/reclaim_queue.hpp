#pragma once
// Where large contents go when their object lets go of them: they are freed piece by piece, a bounded piece in each step
// of the engine, so that nobody has to wait until ten million entries are gone. What they refer to is let go as they
// are freed, in an order that depends on nothing but the steps.

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace tandem::server {

class ReclaimQueue {
 public:
  /// Other contents are freed where they are let go.
  static bool is_large(std::uint64_t elements) { return elements > 256; }

  /// Takes over what has `size()`, `memory_bytes()` and `release_some(most)`, which frees about that many elements and
  /// gives how many it freed, 0 when there is nothing left.
  template <class Contents>
  void defer(Contents&& contents) {
    auto grave = std::make_unique<GraveOf<std::decay_t<Contents>>>(std::forward<Contents>(contents));
    memory_bytes_ += grave->memory_bytes();
    graves_.push_back(std::move(grave));
  }

  /// Frees about `most` elements, the oldest contents first; gives how many. 0: there was nothing.
  std::uint64_t release(std::uint64_t most) {
    std::uint64_t released = 0;
    while (released < most && !graves_.empty()) {
      Grave& grave = *graves_.front();
      const std::uint64_t before = grave.memory_bytes();
      const std::uint64_t now = grave.release(most - released);
      released += now;
      memory_bytes_ -= before - grave.memory_bytes();
      if (now != 0) continue;
      memory_bytes_ -= grave.memory_bytes();
      graves_.pop_front();
      ++released;
    }
    return released;
  }
  bool empty() const { return graves_.empty(); }
  /// Of what is not freed yet.
  std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Grave {
    virtual ~Grave() = default;
    virtual std::uint64_t release(std::uint64_t most) = 0;
    virtual std::uint64_t memory_bytes() const = 0;
  };
  template <class Contents>
  struct GraveOf final : Grave {
    explicit GraveOf(Contents&& c) : contents(std::move(c)) {}
    std::uint64_t release(std::uint64_t most) override { return contents.release_some(most); }
    std::uint64_t memory_bytes() const override { return contents.memory_bytes(); }
    Contents contents;
  };

  std::deque<std::unique_ptr<Grave>> graves_;
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace tandem::server
