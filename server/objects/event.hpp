#pragma once
// The hosted event.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/event.hpp"

namespace tandem::server {

class Event final : public Object {
 public:
  using Ops = ops::Event;

  Result<void> on(Ops::Create, Turn&) { return {}; }
  Result<void> on(Ops::Set, Turn&);
  Result<void> on(Ops::Clear, Turn&);
  Result<bool> on(Ops::IsSet, Turn&) { return set_; }
  Result<Written> on(Ops::Wait, Turn&, std::optional<std::int64_t> limit_us);

  void serve(Turn&) override;
  void leave(Turn&, Waiter&, Leaving) override;

  const Type& type() const override { return type_of<Event>(); }
  std::uint64_t size() const override { return 1; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { out.boolean(set_); }
  std::optional<std::uint64_t> show(std::uint64_t cursor, const LookAt& look) const override;

 private:
  bool set_ = false;
  Line line_;
};

}  // namespace tandem::server
