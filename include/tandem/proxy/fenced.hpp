#pragma once
// Fencing: calls that are made only as long as a lock is held. Whoever lost its lock without knowing, because its session
// ended or its lease ran out, cannot harm what the next owner works on.
//
//   auto held = lock.guard();
//   auto scores = tandem::fenced(dict, held);      // the same dict
//   scores["a"] = 1;                               // StaleToken, and nothing done, unless the grant is alive then
//
// (Martin Kleppmann, "How to do distributed locking", 2016, where the storage has to keep the highest token it has seen;
// here lock and object live in one manager, which knows whether the grant is over.)

#include "tandem/proxy/grant.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

/// A proxy of the same object whose operations are all refused (StaleToken) unless the grant with this token is alive,
/// which the manager checks in the same step. The token may be another process's. ValueError: 0, which no grant has, or an
/// empty proxy.
///
/// Processes that are forked or spawned with such a proxy have it as it is. What is stored in an object, or handed to a
/// pool's task, is a reference to the object alone: pass the token besides, and call fenced() there.
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
