#pragma once
// Container: the base of Dict, List, Set, Namespace, Value, Array and the queues. Their contents can be
// watched for changes.
//
//   std::uint64_t seen = scores.version();
//   while (true) {
//     show(scores.snapshot());
//     seen = scores.wait_for_change(seen);   // at once if it has changed since
//   }

#include "tandem/call/wait.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// A container's version grows with every change of its contents, and only then. Operations that fail, read,
/// or find nothing to change (erasing an absent key, say) are no changes; storing an equal value again is
/// one. The version tells that something changed, not what or how often. Versions of different objects are
/// unrelated. A change inside an object that a container refers to is a change of that object alone. A queue
/// changes when items enter, leave or return, when they are done, and when it is closed.
///
/// To miss no change, take the version, then read, then wait for a change since that version.
class Container : public Proxy {
 public:
  Container() = default;
  using Proxy::Proxy;

  std::uint64_t version() const;
  /// Returns the version as soon as it differs from `since`, at once if it already does. The wait takes place
  /// in the manager, without polling. Throws ObjectGone if the object is removed meanwhile.
  std::uint64_t wait_for_change(std::uint64_t since) const;
  /// Returns nullopt if a stop was requested first.
  std::optional<std::uint64_t> wait_for_change(std::uint64_t since, const std::stop_token& stop) const {
    return wait_within(since, client::no_limit, stop);
  }
  /// Returns nullopt if it did not change within the limit, or a stop was requested first.
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
