#pragma once
// The hosted latch.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/latch.hpp"

namespace tandem::server {

class Latch final : public Object {
 public:
  using Ops = ops::Latch;
  using Number = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, Turn&, std::int64_t expected);
  Result<void> on(Ops::CountDown, Turn&, Number count);
  Result<Written> on(Ops::Wait, Turn&, Number limit_us);
  Result<Written> on(Ops::ArriveAndWait, Turn&, Number count, Number limit_us);
  Result<std::int64_t> on(Ops::Count, Turn&) { return count_; }

  void serve(Turn&) override;
  void leave(Turn&, Waiter&, Leaving) override;

  const Type& type() const override { return type_of<Latch>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { out.integer(count_); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 private:
  std::int64_t count_ = 0;
  Line line_;
};

}  // namespace tandem::server
