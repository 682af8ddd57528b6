#pragma once
// The hosted latch.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/latch.hpp"

namespace tandem::server {

class Latch final : public Object {
 public:
  using Ops = ops::Latch;
  using Number = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, std::int64_t expected);
  Result<void> on(Ops::CountDown, CallContext&, Number count);
  Result<Written> on(Ops::Wait, CallContext&, Number limit_us);
  Result<Written> on(Ops::ArriveAndWait, CallContext&, Number count, Number limit_us);
  Result<std::int64_t> on(Ops::Count, CallContext&) { return count_; }

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(StateWriter& out) const override { out.integer(count_); }
  void load(StateReader& in) override { count_ = in.integer(); }
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  std::int64_t count_ = 0;
  WaitQueue wait_queue_;
};

}  // namespace tandem::server
