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

  Result<void> on(Ops::Create, Turn&, Number permits, std::optional<bool> bounded,
                  std::optional<bool> ownerless);
  Result<Written> on(Ops::Acquire, Turn&, Number permits, Number limit_us);
  Result<void> on(Ops::Release, Turn&, Number permits);
  Result<std::int64_t> on(Ops::Value, Turn&) { return free_; }
  Result<std::int64_t> on(Ops::Held, Turn& turn) { return held_by(turn.session()); }

  void serve(Turn&) override;
  void leave(Turn&, Waiter&, Leaving) override;
  void session_ended(Turn&, SessionId) override;
  void going(Turn&) override;
  void each_holding(const std::function<void(const Holding&)>&) const override;

  const Type& type() const override { return type_of<Semaphore>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return held_.size() * holder_bytes; }
  void save(wire::Writer& out) const override;
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 private:
  struct Permits {
    std::int64_t count = 0;
    std::uint64_t since_ns = 0;  // the oldest of them
  };
  static constexpr std::uint64_t holder_bytes =
      sizeof(std::pair<const Owner, Permits>) + 48;  // with a tree's node

  bool can_grow() const { return ownerless_ && !bounded_; }
  std::int64_t held_by(SessionId session) const;
  void take(Turn& turn, Owner who, std::int64_t permits);
  void give_back(Turn& turn, std::int64_t permits);

  std::int64_t initial_ = 0;
  std::int64_t free_ = 0;
  bool bounded_ = false;
  bool ownerless_ = false;
  std::map<Owner, Permits> held_;  // empty when ownerless
  Line line_;                      // each wants `amount`
};

}  // namespace tandem::server
