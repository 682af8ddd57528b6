#pragma once
// The manager as a hosted object: creates, finds, lists and removes the others.

#include "server/engine/dispatch.hpp"
#include "tandem/ops/manager.hpp"

namespace tandem::server {

class Manager final : public Object {
 public:
  using Ops = ops::Manager;

  Result<Written> on(Ops::Create, CallContext&, std::string_view type, std::optional<ValueView> name,
                     ItemsView arguments);
  Result<Written> on(Ops::Get, CallContext&, std::string_view name, std::optional<std::string_view> type);
  Result<bool> on(Ops::Exists, CallContext&, std::string_view name);
  Result<bool> on(Ops::Remove, CallContext&, std::string_view name);
  Result<Written> on(Ops::Objects, CallContext&, std::optional<std::int64_t> after,
                     std::optional<std::int64_t> limit, std::optional<std::string_view> type);
  Result<void> on(Ops::Ping, CallContext&);
  Result<Written> on(Ops::Information, CallContext&);
  Result<Written> on(Ops::Waits, CallContext&, std::optional<std::int64_t> after,
                     std::optional<std::int64_t> limit);
  Result<Written> on(Ops::Deadlocks, CallContext&);
  Result<Written> on(Ops::Holdings, CallContext&, std::optional<std::string_view> after,
                     std::optional<std::int64_t> limit);
  Result<void> on(Ops::Release, CallContext&, std::int64_t id, std::int64_t count);
  Result<void> on(Ops::EndThread, CallContext&, std::int64_t thread);
  Result<std::int64_t> on(Ops::Version, CallContext&, Object& object);
  Result<Written> on(Ops::WaitForChange, CallContext&, Object& object, std::int64_t since,
                     std::optional<std::int64_t> limit_us);
  Result<Written> on(Ops::Hold, CallContext&, ItemsView references);
  Result<Written> on(Ops::Contents, CallContext&, std::int64_t id, std::optional<std::int64_t> cursor,
                     std::optional<std::int64_t> limit);
  Result<Written> on(Ops::Run, CallContext&, ItemsView steps, std::int64_t mode);

  std::uint64_t size() const override { return 0; }
  std::uint64_t memory_bytes() const override { return 0; }
  void save(StateWriter&) const override {}
  void load(StateReader&) override {}
  std::optional<std::uint64_t> visit_elements(std::uint64_t, const ElementVisitor&) const override {
    return std::nullopt;
  }
};

}  // namespace tandem::server
