#pragma once
// What all containers have in common: Dict, List, Set, Namespace, Value, Array and the queues can be watched.
//
//   std::uint64_t seen = scores.version();
//   while (true) {
//     show(scores.snapshot());
//     seen = scores.wait_for_change(seen);   // at once, if it has changed since
//   }

#include "tandem/call/wait.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// A container's version is a number that grows with every change of its contents, and with nothing else: not with
/// operations that fail, that read, or that find nothing to change (erasing an absent key, say); storing an equal value
/// again is a change. It tells that something changed, not what or how often. Two objects' versions have nothing to do
/// with each other. What is changed inside an object that a container refers to is a change of that object alone. A queue
/// changes when items enter, leave or come back, when they are done with, and when it is closed.
///
/// So no change is missed: take the version, then read, then wait for a change since that version.
class Container : public Proxy {
 public:
  Container() = default;
  using Proxy::Proxy;

  std::uint64_t version() const;
  /// Gives the version as soon as it is another than `since`: at once, if it is already. Watchers wait in the manager,
  /// without polling. ObjectGone when the object is removed meanwhile.
  std::uint64_t wait_for_change(std::uint64_t since) const;
  /// None: a stop was requested first.
  std::optional<std::uint64_t> wait_for_change(std::uint64_t since, const std::stop_token& stop) const {
    return wait_within(since, client::no_limit, stop);
  }
  /// None: it did not change within the limit, or before a stop was requested.
  std::optional<std::uint64_t> wait_for_change(std::uint64_t since, For limit,
                                               const std::stop_token& stop = {}) const {
    return wait_within(since, limit, stop);
  }
  std::optional<std::uint64_t> wait_for_change(std::uint64_t since, Until end,
                                               const std::stop_token& stop = {}) const {
    return wait_within(since, end, stop);
  }

 private:
  std::optional<std::uint64_t> wait_within(std::uint64_t since, client::WaitLimit limit,
                                           const std::stop_token& stop) const;
};

}  // namespace tandem
