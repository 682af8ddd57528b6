#include "server/objects/all.hpp"

#include <array>

#include "server/objects/array.hpp"
#include "server/objects/barrier.hpp"
#include "server/objects/condition.hpp"
#include "server/objects/dict.hpp"
#include "server/objects/event.hpp"
#include "server/objects/latch.hpp"
#include "server/objects/list.hpp"
#include "server/objects/lock.hpp"
#include "server/objects/locks.hpp"
#include "server/objects/manager.hpp"
#include "server/objects/namespace.hpp"
#include "server/objects/pool.hpp"
#include "server/objects/queue.hpp"
#include "server/objects/semaphore.hpp"
#include "server/objects/set.hpp"
#include "server/objects/shared_lock.hpp"
#include "server/objects/value.hpp"

namespace tandem::server {

std::span<const Type* const> hosted_types() {
  static const std::array types{
      // containers
      &type_of<Manager>(),
      &type_of<Dict>(),
      &type_of<List>(),
      &type_of<Set>(),
      &type_of<Namespace>(),
      &type_of<HostedValue>(),
      &type_of<Array>(),
      // synchronisation
      &type_of<Lock>(),
      &type_of<RLock>(),
      &type_of<SharedLock>(),
      &type_of<Locks>(),
      &type_of<Condition>(),
      &type_of<Event>(),
      &type_of<Semaphore>(),
      &type_of<Barrier>(),
      &type_of<Latch>(),
      // queues
      &type_of<Queue>(),
      &type_of<LifoQueue>(),
      &type_of<PriorityQueue>(),
      // tasks
      &type_of<Pool>(),
  };
  return types;
}

}  // namespace tandem::server
