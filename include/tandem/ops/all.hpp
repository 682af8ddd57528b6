#pragma once
// The operations of every hosted type, and the list of all types.

#include <array>
#include <cstddef>

#include "tandem/ops/array.hpp"
#include "tandem/ops/barrier.hpp"
#include "tandem/ops/condition.hpp"
#include "tandem/ops/dict.hpp"
#include "tandem/ops/event.hpp"
#include "tandem/ops/latch.hpp"
#include "tandem/ops/list.hpp"
#include "tandem/ops/lock.hpp"
#include "tandem/ops/locks.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/ops/namespace.hpp"
#include "tandem/ops/pool.hpp"
#include "tandem/ops/queue.hpp"
#include "tandem/ops/rlock.hpp"
#include "tandem/ops/semaphore.hpp"
#include "tandem/ops/set.hpp"
#include "tandem/ops/shared_lock.hpp"
#include "tandem/ops/value.hpp"

namespace tandem::ops {

template <class... T>
struct TypeList {
  /// Calls `f` with the types as template arguments.
  template <class F>
  static constexpr decltype(auto) with_types(F&& f) {
    return f.template operator()<T...>();
  }
};

/// Every built-in type. Numbers up to 127 are reserved for them.
using AllTypes = TypeList<Manager, Dict, List, Set, Namespace, Value, Array, Lock, RLock, SharedLock, Locks,
                          Condition, Event, Semaphore, Barrier, Latch, Queue, LifoQueue, PriorityQueue, Pool>;

template <class... T>
constexpr bool are_distinct(TypeList<T...>) {
  const std::array numbers{T::number...};
  const std::array names{T::type...};
  for (std::size_t i = 0; i < numbers.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (numbers[i] == numbers[j] || names[i] == names[j]) return false;
  return true;
}
static_assert(are_distinct(AllTypes()), "two hosted types have the same number or the same name");

}  // namespace tandem::ops
