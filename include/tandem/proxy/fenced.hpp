#pragma once
// Fencing: calls that take effect only while a lock is held. A thread that lost its lock without knowing,
// because its session ended or its lease ran out, cannot harm the next owner's work.
//
//   auto held = lock.guard();
//   auto scores = tandem::fenced(dict, held);      // the same dict
//   scores["a"] = 1;                               // StaleToken, without effect, unless the grant is alive
//
// (Martin Kleppmann, "How to do distributed locking", 2016. There the storage keeps the highest token it has
// seen; here lock and object live in one manager, which knows whether the grant has ended.)

#include "tandem/proxy/grant.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// Returns a proxy of the same object whose operations are all refused (StaleToken) unless the grant with
/// this token is alive, which the manager checks in the same step. The token may be another process's. Throws
/// ValueError for 0, which no grant has, and for an empty proxy.
///
/// Forked and spawned processes get such a proxy unchanged. Stored in an object, or passed to a pool's task,
/// it is a reference to the object alone: pass the token as well and call fenced() there.
template <std::derived_from<Proxy> P>
P fenced(const P& proxy, std::uint64_t token) {
  if (!proxy.valid()) throw ValueError("an empty proxy has no object to call");
  if (token == 0) throw ValueError("0 is no lock's token; a guard without a lock has it");
  return P(std::make_shared<client::RemoteObject>(proxy.remote(), token));
}
template <std::derived_from<Proxy> P>
P fenced(const P& proxy, const Grant& grant) {
  return fenced(proxy, grant.token);
}
template <std::derived_from<Proxy> P, class L, class How>
P fenced(const P& proxy, const Guard<L, How>& guard) {
  return fenced(proxy, guard.token());
}

}  // namespace tandem
