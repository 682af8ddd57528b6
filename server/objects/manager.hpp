#pragma once
// The manager as a hosted object: makes, finds, lists and removes the others.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {

class Manager final : public Object {
 public:
  using Ops = ops::Manager;

  Result<Written> on(Ops::Create, Turn&, std::string_view type, std::optional<ValueView> name,
                     ItemsView arguments);
  Result<Written> on(Ops::Get, Turn&, std::string_view name, std::optional<std::string_view> type);
  Result<bool> on(Ops::Exists, Turn&, std::string_view name);
  Result<bool> on(Ops::Remove, Turn&, std::string_view name);
  Result<Written> on(Ops::Objects, Turn&, std::optional<std::int64_t> after,
                     std::optional<std::int64_t> limit, std::optional<std::string_view> type);
  Result<void> on(Ops::Ping, Turn&);
  Result<Written> on(Ops::Information, Turn&);
  Result<Written> on(Ops::Waits, Turn&, std::optional<std::int64_t> after, std::optional<std::int64_t> limit);
  Result<Written> on(Ops::Circles, Turn&);
  Result<Written> on(Ops::Holdings, Turn&, std::optional<std::int64_t> after,
                     std::optional<std::int64_t> limit);
  Result<void> on(Ops::Release, Turn&, std::int64_t id, std::int64_t count);
  Result<std::int64_t> on(Ops::Version, Turn&, Object& object);
  Result<Written> on(Ops::WaitForChange, Turn&, Object& object, std::int64_t since,
                     std::optional<std::int64_t> limit_us);
  Result<Written> on(Ops::Hold, Turn&, ItemsView references);
  Result<Written> on(Ops::Contents, Turn&, std::int64_t id, std::optional<std::int64_t> cursor,
                     std::optional<std::int64_t> limit);
  Result<Written> on(Ops::Run, Turn&, ItemsView steps, std::int64_t mode);

  const Type& type() const override;
  std::uint64_t size() const override { return 0; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(wire::Writer& out) const override { out.nil(); }
  std::optional<std::uint64_t> show(std::uint64_t, const LookAt&) const override { return std::nullopt; }
};

}  // namespace tandem::server
