#pragma once
// The undo log of a transaction. While a call context has an Undo, every change of an object adds its inverse
// here, at a cost no higher than that of the change; roll_back() applies the inverses, newest first.
//
// Rollback is exact: save(), memory_bytes() and cursors are as before. An inverse keeps what the object
// removed meanwhile (values erased, tables cleared), so that no reference is released before the change is
// final.

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace tandem::server {

class Undo {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  /// `inverse()` runs in the same state as that in which it was added. `kept_bytes`: memory of what it keeps,
  /// without the inverse itself.
  template <class F>
  void add(std::uint64_t kept_bytes, F&& inverse) {
    using Entry = InverseOf<std::decay_t<F>>;
    inverses_.push_back(std::make_unique<Entry>(std::forward<F>(inverse)));
    static_assert(sizeof(Entry) <= 4 * inverse_bytes);
    bytes_ += inverse_bytes + kept_bytes;
  }
  void roll_back() {
    while (!inverses_.empty()) {
      inverses_.back()->apply();
      inverses_.pop_back();
    }
    bytes_ = 0;
  }
  /// Memory held, approximately.
  std::uint64_t bytes() const { return bytes_; }

 private:
  // What is charged for one: most are about that long, the few that keep a whole table longer.
  static constexpr std::uint64_t inverse_bytes = 64;
  struct Inverse {
    virtual ~Inverse() = default;
    virtual void apply() = 0;
  };
  template <class F>
  struct InverseOf final : Inverse {
    explicit InverseOf(F f) : inverse(std::move(f)) {}
    void apply() override { inverse(); }
    F inverse;
  };

  std::vector<std::unique_ptr<Inverse>> inverses_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::server
