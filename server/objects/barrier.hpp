#pragma once
// The hosted barrier.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/barrier.hpp"

namespace tandem::server {

class Barrier final : public Object {
 public:
  using Ops = ops::Barrier;
  using Limit = std::optional<std::int64_t>;

  Result<void> on(Ops::Create, CallContext&, std::int64_t parties, Limit limit_us);
  Result<Written> on(Ops::Wait, CallContext&, Limit limit_us);
  Result<void> on(Ops::Reset, CallContext&);
  Result<void> on(Ops::Abort, CallContext&);
  Result<std::int64_t> on(Ops::Parties, CallContext&) { return static_cast<std::int64_t>(parties_); }
  Result<std::int64_t> on(Ops::Waiting, CallContext&) {
    return static_cast<std::int64_t>(wait_queue_.size());
  }
  Result<bool> on(Ops::IsBroken, CallContext&) { return is_broken(); }

  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return broken_.size(); }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  bool is_broken() const { return !broken_.empty(); }
  void refuse_all(CallContext& context, const std::string& why);
  void break_down(CallContext& context, const std::string& why);

  std::uint64_t parties_ = 1;
  Limit limit_us_;
  std::string broken_;    // the reason; empty: not broken
  WaitQueue wait_queue_;  // in order of arrival, which is the order of indices
};

}  // namespace tandem::server
