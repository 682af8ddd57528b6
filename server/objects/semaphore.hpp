#pragma once
// The hosted semaphore.

#include <map>

#include "server/engine/dispatch.hpp"
#include "tandem/ops/semaphore.hpp"

namespace tandem::server {

class Semaphore final : public Object {
 public:
  using Ops = ops::Semaphore;
  using Number = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, Number permits, std::optional<bool> bounded,
                  std::optional<bool> ownerless);
  Result<Written> on(Ops::Acquire, CallContext&, Number permits, Number limit_us);
  Result<void> on(Ops::Release, CallContext&, Number permits);
  Result<std::int64_t> on(Ops::Value, CallContext&) { return free_; }
  Result<std::int64_t> on(Ops::Held, CallContext& context) { return held_by(context.session()); }

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  void on_destroy(CallContext&) override;
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return held_.size() * holder_bytes; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  struct Permits {
    std::int64_t count = 0;
    std::uint64_t since_ns = 0;  // of the oldest
  };
  // Including a tree node.
  static constexpr std::uint64_t holder_bytes = 80;
  static_assert(sizeof(std::pair<const Owner, Permits>) + 48 <= holder_bytes);

  bool can_grow() const { return ownerless_ && !bounded_; }
  std::int64_t held_by(SessionId session) const;
  void take(CallContext& context, Owner owner, std::int64_t permits);
  void give_back(CallContext& context, std::int64_t permits);

  std::int64_t initial_ = 0;
  std::int64_t free_ = 0;
  bool bounded_ = false;
  bool ownerless_ = false;
  std::map<Owner, Permits> held_;  // empty when ownerless
  WaitQueue wait_queue_;           // Waiter::amount: permits wanted
};

}  // namespace tandem::server
