#pragma once
// Locks<K>: a lock for every possible key, of which the manager keeps only those that are held.
//
//   locks.lock("doc-42"), locks.unlock("doc-42"), locks.try_lock_for("doc-42", limit)
//   auto held = locks.guard("doc-42");                     for a scope
//   std::lock_guard held(lock_of_it);                      with  auto lock_of_it = locks["doc-42"];
//   auto held = locks.guard_all({"doc-42", "doc-43"});     several, in one request
//
// Python has no equivalent; a dict of Locks would keep a lock for ever for each key it has seen.

#include <vector>

#include "tandem/ops/locks.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/lock.hpp"

namespace tandem {

template <class K>
class Locks;

/// The lock of one key: Lockable and TimedLockable, as Lock is. A handle: making one needs no round trip.
template <class K>
class KeyLock {
 public:
  using GuardType = Guard<KeyLock>;

  KeyLock() = default;
  KeyLock(Locks<K> locks, K key) : locks_(std::move(locks)), key_(std::move(key)) {}

  const K& key() const noexcept { return key_; }

  void lock() const { locks_.lock(key_); }
  bool lock(const std::stop_token& stop) const { return locks_.lock(key_, stop); }
  bool try_lock() const { return locks_.try_lock(key_); }
  bool try_lock_for(For limit, const std::stop_token& stop = {}) const {
    return locks_.try_lock_for(key_, limit, stop);
  }
  bool try_lock_until(Until end, const std::stop_token& stop = {}) const {
    return locks_.try_lock_until(key_, end, stop);
  }
  void unlock() const { locks_.unlock(key_); }
  GuardType guard() const { return locks_.guard(key_); }
  GuardType try_guard() const { return locks_.try_guard(key_); }
  Grant grant() const { return locks_.grant(key_); }
  bool locked() const { return locks_.locked(key_); }
  std::vector<LockOwner> owners() const { return locks_.owners(key_); }

 private:
  Locks<K> locks_;
  K key_{};
};

/// The locks of several keys, held together.
template <class K>
class KeyLocks {
 public:
  KeyLocks() = default;
  KeyLocks(Locks<K> locks, std::vector<K> keys) : locks_(std::move(locks)), keys_(std::move(keys)) {}

  const std::vector<K>& keys() const noexcept { return keys_; }
  void unlock() const { locks_.unlock_all(keys_); }

 private:
  Locks<K> locks_;
  std::vector<K> keys_;
};

/// Each key's lock is as Lock: the same holds for owners, their deaths and deadlocks. Keys are those of a
/// Dict (others throw TypeError); 1, 1.0 and true are the same. A free key takes no memory, unless its last
/// owner died and no thread has held it since. Of such keys the manager keeps the latest orphaned_keys_max
/// (limits.hpp; 65,536): the next owner of one that died before these is not told.
///
/// Several keys are locked all or none. The manager takes them in an order that is the same for all requests,
/// so threads that request all the keys they need at once never deadlock. A key given twice counts once; an
/// empty list throws ValueError. The grant has one token, which ends as soon as one of the keys is unlocked,
/// and reports the death of any key's previous owner; grant(key) tells which.
template <class K = nlohmann::json>
class Locks : public Proxy {
 public:
  using Operations = ops::Locks;
  static constexpr std::uint8_t type_number = Operations::number;
  using key_type = K;
  using KeyGuard = Guard<KeyLock<K>>;
  using KeysGuard = Guard<KeyLocks<K>>;
  using Keys = client::ItemsIn<K>;

  Locks() = default;
  using Proxy::Proxy;

  KeyLock<K> operator[](K key) const { return {*this, std::move(key)}; }

  void lock(client::In<K> key) const { (void)acquire(key, client::no_limit); }
  /// Returns false if a stop was requested first.
  bool lock(client::In<K> key, const std::stop_token& stop) const {
    return acquire(key, client::no_limit, stop).token != 0;
  }
  bool try_lock(client::In<K> key) const { return acquire(key, client::at_once).token != 0; }
  /// Returns whether it was locked within the limit and before a stop was requested.
  bool try_lock_for(client::In<K> key, For limit, const std::stop_token& stop = {}) const {
    return acquire(key, limit, stop).token != 0;
  }
  bool try_lock_until(client::In<K> key, Until end, const std::stop_token& stop = {}) const {
    return acquire(key, end, stop).token != 0;
  }
  /// Throws NotOwner if this thread does not hold it.
  void unlock(client::In<K> key) const { call<Operations::Release>(key); }

  // The same for a scope. The guard is empty if the lock was not acquired.

  KeyGuard guard(K key) const { return keep(std::move(key), client::no_limit); }
  KeyGuard guard(K key, const std::stop_token& stop) const {
    return keep(std::move(key), client::no_limit, stop);
  }
  KeyGuard try_guard(K key) const { return keep(std::move(key), client::at_once); }
  KeyGuard try_guard_for(K key, For limit, const std::stop_token& stop = {}) const {
    return keep(std::move(key), limit, stop);
  }
  KeyGuard try_guard_until(K key, Until end, const std::stop_token& stop = {}) const {
    return keep(std::move(key), end, stop);
  }

  // Several keys at once.

  void lock_all(Keys keys) const { (void)acquire_all(keys, client::no_limit); }
  bool lock_all(Keys keys, const std::stop_token& stop) const {
    return acquire_all(keys, client::no_limit, stop).token != 0;
  }
  bool try_lock_all(Keys keys) const { return acquire_all(keys, client::at_once).token != 0; }
  bool try_lock_all_for(Keys keys, For limit, const std::stop_token& stop = {}) const {
    return acquire_all(keys, limit, stop).token != 0;
  }
  bool try_lock_all_until(Keys keys, Until end, const std::stop_token& stop = {}) const {
    return acquire_all(keys, end, stop).token != 0;
  }
  /// Throws NotOwner, and releases none, if this thread does not hold all of them.
  void unlock_all(Keys keys) const { call<Operations::ReleaseAll>(keys); }

  KeysGuard guard_all(std::vector<K> keys) const { return keep_all(std::move(keys), client::no_limit); }
  KeysGuard guard_all(std::vector<K> keys, const std::stop_token& stop) const {
    return keep_all(std::move(keys), client::no_limit, stop);
  }
  KeysGuard try_guard_all(std::vector<K> keys) const { return keep_all(std::move(keys), client::at_once); }
  KeysGuard try_guard_all_for(std::vector<K> keys, For limit, const std::stop_token& stop = {}) const {
    return keep_all(std::move(keys), limit, stop);
  }
  KeysGuard try_guard_all_until(std::vector<K> keys, Until end, const std::stop_token& stop = {}) const {
    return keep_all(std::move(keys), end, stop);
  }

  /// Returns this thread's grant of the key's lock. Throws NotOwner.
  Grant grant(client::In<K> key) const {
    return client::grant_of(call<Operations::Grant, client::GrantFacts>(key));
  }
  /// Returns whether it is held at this moment.
  bool locked(client::In<K> key) const { return call<Operations::Locked, bool>(key); }
  /// Returns its owners at this moment.
  std::vector<LockOwner> owners(client::In<K> key) const {
    return client::owners_of(call<Operations::Owners, std::vector<client::OwnerFacts>>(key));
  }
  /// Returns the number of locks kept: those that are held, and those whose last owner died.
  std::size_t size() const { return call<Operations::Size, std::size_t>(); }

 private:
  Grant acquire(client::In<K> key, client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return client::grant_of(call_and_wait<Operations::Acquire, client::GrantFacts>(limit, stop, key));
  }
  Grant acquire_all(Keys keys, client::WaitLimit limit, const std::stop_token& stop = {}) const {
    return client::grant_of(call_and_wait<Operations::AcquireAll, client::GrantFacts>(limit, stop, keys));
  }
  KeyGuard keep(K key, client::WaitLimit limit, const std::stop_token& stop = {}) const {
    const Grant grant = acquire(key, limit, stop);
    return {{*this, std::move(key)}, grant};
  }
  KeysGuard keep_all(std::vector<K> keys, client::WaitLimit limit, const std::stop_token& stop = {}) const {
    const Grant grant = acquire_all(keys, limit, stop);
    return {{*this, std::move(keys)}, grant};
  }
};

}  // namespace tandem
