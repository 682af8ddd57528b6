#pragma once
// What a transaction can take back. While a turn has an Undo, everything that changes an object puts the inverse of
// what it did here, at a cost no higher than its own; whoever wants the change undone has them applied, newest first.
//
// Undone is undone: the same bytes saved, the same memory held, the same cursors good. What an object gave up meanwhile
// (values erased, tables cleared) is kept by its inverse, so that no reference goes before it is certain to go.

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

  /// `inverse()` finds everything as it was left when it was added. `kept_bytes`: memory of what it keeps, apart from
  /// the inverse itself.
  template <class F>
  void add(std::uint64_t kept_bytes, F&& inverse) {
    using Entry = InverseOf<std::decay_t<F>>;
    inverses_.push_back(std::make_unique<Entry>(std::forward<F>(inverse)));
    bytes_ += sizeof(Entry) + sizeof(std::unique_ptr<Inverse>) + kept_bytes;
  }
  void roll_back() {
    while (!inverses_.empty()) {
      inverses_.back()->apply();
      inverses_.pop_back();
    }
    bytes_ = 0;
  }
  /// Memory held, about.
  std::uint64_t bytes() const { return bytes_; }

 private:
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
