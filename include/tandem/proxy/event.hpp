#pragma once
// Event: a flag that threads of any process wait for.
//
//   Python (threading.Event)   here
//   e.set(), e.clear()         e.set(), e.clear()
//   e.is_set()                 e.is_set()
//   e.wait()                   e.wait()
//   e.wait(timeout)            e.wait_for(limit), e.wait_until(time) → bool
//   -                          e.wait(stop_token) → bool                    as std::condition_variable_any

#include "tandem/call/wait.hpp"
#include "tandem/ops/event.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// Initially clear. Only set() ends waits: a wait that begins while the event is set returns at once, and
/// threads that waited at set() are released even if clear() follows immediately.
class Event : public Proxy {
 public:
  using Operations = ops::Event;
  static constexpr std::uint8_t type_number = Operations::number;

  Event() = default;
  using Proxy::Proxy;

  void set() const { call<Operations::Set>(); }
  void clear() const { call<Operations::Clear>(); }
  bool is_set() const { return call<Operations::IsSet, bool>(); }

  void wait() const { wait_within(client::no_limit); }
  /// Returns false if a stop was requested first.
  bool wait(const std::stop_token& stop) const { return wait_within(client::no_limit, stop); }
  /// Returns whether it was set within the limit and before a stop was requested.
  bool wait_for(For limit, const std::stop_token& stop = {}) const { return wait_within(limit, stop); }
  bool wait_until(Until end, const std::stop_token& stop = {}) const { return wait_within(end, stop); }

 private:
  bool wait_within(client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return call_and_wait<Operations::Wait, bool>(limit, stop);
  }
};

}  // namespace tandem
