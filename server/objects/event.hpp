#pragma once
// The hosted event.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/event.hpp"

namespace tandem::server {

class Event final : public Object {
 public:
  using Ops = ops::Event;

  Result<void> on(Ops::Create, CallContext&) { return {}; }
  Result<void> on(Ops::Set, CallContext&);
  Result<void> on(Ops::Clear, CallContext&);
  Result<bool> on(Ops::IsSet, CallContext&) { return set_; }
  Result<Written> on(Ops::Wait, CallContext&, std::optional<std::int64_t> limit_us);

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(StateWriter& out) const override { out.boolean(set_); }
  void load(StateReader& in) override { set_ = in.boolean(); }
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  bool set_ = false;
  WaitQueue wait_queue_;
};

}  // namespace tandem::server
