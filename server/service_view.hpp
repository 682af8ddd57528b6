#pragma once
// The debug endpoint's view of sessions, channels and counters.

#include "client/os/clock.hpp"
#include "server/debug/view.hpp"
#include "server/session/service.hpp"

namespace tandem::server {

class ServiceView final : public View {
 public:
  /// `service` outlives the view.
  explicit ServiceView(const Service& service) : service_(service) {}

  const Engine& engine() const override { return service_.engine(); }
  std::uint64_t now_ns() const override { return service_.engine_ns(os::clock_ns()); }
  std::uint64_t sessions_count() const override { return service_.sessions().all().size(); }
  std::vector<ClientInfo> sessions(std::uint64_t after, std::size_t limit) const override;
  OperationCounts operation(std::size_t index) const override;
  OperationCounts unresolved() const override;
  std::vector<Metric> metrics() const override;
  std::optional<JournalInfo> journal() const override;

 private:
  const Service& service_;
};

}  // namespace tandem::server
