#pragma once
// The hosted readers-writer lock: one writer or several readers, and one wait queue for both. A reader that
// arrives while any request waits queues behind it, so that neither side starves the other.

#include "server/engine/dispatch.hpp"
#include "server/objects/ownership.hpp"
#include "tandem/ops/shared_lock.hpp"

namespace tandem::server {

class SharedLock final : public Object {
 public:
  using Ops = ops::SharedLock;

  Result<void> on(Ops::Create, CallContext&) { return {}; }
  Result<Written> on(Ops::Acquire, CallContext&, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::Release, CallContext&);
  Result<bool> on(Ops::Locked, CallContext&) { return held(); }
  Result<Written> on(Ops::Grant, CallContext&);
  Result<Written> on(Ops::Owners, CallContext&);
  Result<Written> on(Ops::AcquireShared, CallContext&, std::optional<std::int64_t> limit_us);
  Result<void> on(Ops::ReleaseShared, CallContext&);

  void serve(CallContext&) override;
  void on_wait_ended(CallContext&, Waiter&, WaitEnd) override;
  void owners_ended(CallContext&, const EndedOwners&) override;
  void on_destroy(CallContext&) override;
  bool has_blockers() const override { return true; }
  void each_blocker(const Waiter&, const std::function<void(const Blocker&)>&) const override;
  std::string describe_wait(const Waiter&) const override;
  std::optional<HoldingCursor> visit_holdings(HoldingCursor cursor,
                                              const HoldingVisitor& visit) const override;

  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return readers_.size() * reader_bytes; }
  void save(StateWriter& out) const override;
  void load(StateReader& in) override;
  void visit_queues(const std::function<void(WaitQueue&)>& visit) override { visit(wait_queue_); }
  std::optional<std::uint64_t> visit_elements(std::uint64_t cursor,
                                              const ElementVisitor& visit) const override;

 private:
  enum Kind : std::uint32_t { writes, reads };  // of waiters

  struct Reader {
    Owner owner;
    std::uint64_t depth = 0;
    std::uint64_t token = 0;
    std::uint64_t since_ns = 0;
  };

  static constexpr std::uint64_t reader_bytes = 40;
  static_assert(sizeof(Reader) <= reader_bytes);

  bool held() const { return writer_.held() || !readers_.empty(); }
  Result<Written> wait(CallContext& context, std::optional<std::int64_t> limit_us, Kind kind);
  /// Adds a read grant of `who`; returns its token.
  std::uint64_t admit(CallContext& context, Owner owner);
  void write_grant(wire::Writer& out, std::uint64_t token) const {
    server::write_grant(out, token, writer_.previous_owner_died());
  }
  std::vector<Reader>::iterator find(Owner owner);
  void end(CallContext& context, const Reader& reader);

  Ownership writer_;
  std::vector<Reader> readers_;  // in the order of their first grants
  WaitQueue wait_queue_;
};

}  // namespace tandem::server
