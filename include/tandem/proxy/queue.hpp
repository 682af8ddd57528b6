#pragma once
// Queue<T>, LifoQueue<T>, PriorityQueue<T>: items passed between processes. The next item is the oldest, the
// newest, or the least by Python's `<` (the oldest of equal ones). Queue<> takes items of any kind, as
// nlohmann::json.
//
//   Python (queue, multiprocessing)   here
//   q.put(x)                          q.put(x)                          waits while it is full; Closed
//   q.put(x, timeout=s)               q.put_for(x, limit), q.put_until(x, time) → bool
//   q.put_nowait(x), queue.Full       q.try_put(x) → bool
//   -                                 q.put_many(range) → count         also put_many_for, try_put_many
//   q.get()                           q.get() → T                       waits while it is empty; Closed
//   q.get(timeout=s)                  q.get_for(limit), q.get_until(time) → optional<T>
//   q.get_nowait(), queue.Empty       q.try_get() → optional<T>
//   -                                 q.get_many(n) → vector<T>         waits for one; also get_many_for, …
//   -                                 q.put(x, stop_token) → bool, q.get(stop_token) → optional<T>
//   q.qsize(), q.empty(), q.full()    q.size(), q.empty(), q.full(), q.maxsize()
//   q.task_done(), q.join()           q.task_done(), q.join(), q.join_for(limit) → bool     ValueError
//   q.shutdown()                      q.close()                         items inside can still be taken
//   q.shutdown(immediate=True)        q.close(tandem::immediate)        items inside are dropped
//   for x in iter(q.get, marker)      for (auto& x : q)                 until q is closed and empty
//   -                                 q.get_leased() → Lease<T>         returns unless done(): lease.hpp
//   -                                 q.get_leased_for(limit) → Lease<T>                        maybe empty
//   -                                 for (auto& lease : q.leases())    until q is closed and empty
//   -                                 q.version(), q.wait_for_change(since)            container.hpp
//
// Unlike multiprocessing.Queue there is no feeder thread: when put() returns, the item is in the queue.
//
// Waiters are served in the order of arrival, putters and getters alike, without overtaking: a batch enters
// before items that later callers put. Each item is delivered to one getter. An item is lost if its getter
// dies; where that matters, take it on lease. A proxy put into a queue is a reference and keeps its object
// alive, also in transit; an untyped queue returns it through get<Dict<>>().

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tandem/call/wait.hpp"
#include "tandem/ops/queue.hpp"
#include "tandem/proxy/container.hpp"
#include "tandem/proxy/lease.hpp"

namespace tandem {

/// The mode of close(): q.close(tandem::immediate).
enum class Closing : bool { draining = false, immediate = true };
inline constexpr Closing immediate = Closing::immediate;

/// The base of the three queues. `Ops`: ops::Queue, ops::LifoQueue or ops::PriorityQueue.
template <class T, class Ops>
class BasicQueue : public Container {
  using Do = ops::QueueOperations;
  using Stop = std::stop_token;

 public:
  using Operations = Ops;
  static constexpr std::uint8_t type_number = Operations::number;
  using value_type = T;
  using Item = client::In<T>;
  using Items = client::ItemsIn<T>;
  class iterator;
  template <class R>
  class Leases;

  BasicQueue() = default;
  using Container::Container;

  // Putting. All of these throw Closed once the queue is closed, also while they wait; TypeError, without
  // putting the item, if a PriorityQueue cannot compare it with those inside; ResourceExhausted.

  void put(Item item) const { put_within(item, client::no_limit); }
  /// These return whether the item was put.
  bool put(Item item, const Stop& stop) const { return put_within(item, client::no_limit, stop); }
  bool put_for(Item item, For limit, const Stop& stop = {}) const { return put_within(item, limit, stop); }
  bool put_until(Item item, Until end, const Stop& stop = {}) const { return put_within(item, end, stop); }
  bool try_put(Item item) const { return put_within(item, client::at_once); }

  /// Puts a batch, in its order, in one round trip. Items enter in one step as far as there is room, the rest
  /// as room appears, so a batch may be larger than the queue. Returns how many were put: all of them, unless
  /// a limit expired, a stop was requested or the queue was closed meanwhile (Closed if none was put). While
  /// it waits, the manager holds the whole batch in memory.
  std::size_t put_many(Items items, const Stop& stop = {}) const {
    return put_many_within(items, client::no_limit, stop);
  }
  std::size_t put_many_for(Items items, For limit, const Stop& stop = {}) const {
    return put_many_within(items, limit, stop);
  }
  std::size_t put_many_until(Items items, Until end, const Stop& stop = {}) const {
    return put_many_within(items, end, stop);
  }
  std::size_t try_put_many(Items items) const { return put_many_within(items, client::at_once); }

  // Getting. All of these throw Closed once the queue is closed and empty and no item leased to others may
  // return. `R`: another type to read the item as; an item that cannot be read as R (TypeError) has left the
  // queue nevertheless, unless it was taken on lease.

  template <class R = T>
  R get() const {
    return std::move(*get_within<R>(client::no_limit));
  }
  template <class R = T>
  std::optional<R> get(const Stop& stop) const {
    return get_within<R>(client::no_limit, stop);
  }
  template <class R = T>
  std::optional<R> get_for(For limit, const Stop& stop = {}) const {
    return get_within<R>(limit, stop);
  }
  template <class R = T>
  std::optional<R> get_until(Until end, const Stop& stop = {}) const {
    return get_within<R>(end, stop);
  }
  template <class R = T>
  std::optional<R> try_get() const {
    return get_within<R>(client::at_once);
  }

  /// Waits for one item and takes those available then, at most `max` (ValueError if less than 1) and about 1
  /// MiB. Returns an empty vector if a limit expired or a stop was requested.
  template <class R = T>
  std::vector<R> get_many(std::size_t max, const Stop& stop = {}) const {
    return get_many_within<R>(max, client::no_limit, stop);
  }
  template <class R = T>
  std::vector<R> get_many_for(std::size_t max, For limit, const Stop& stop = {}) const {
    return get_many_within<R>(max, limit, stop);
  }
  template <class R = T>
  std::vector<R> get_many_until(std::size_t max, Until end, const Stop& stop = {}) const {
    return get_many_within<R>(max, end, stop);
  }
  template <class R = T>
  std::vector<R> try_get_many(std::size_t max) const {
    return get_many_within<R>(max, client::at_once);
  }

  /// Takes items one by one, waiting for each, until the queue is closed and empty:
  /// `for (auto& item : queue)`. Items stay taken if the loop ends early.
  iterator begin() const { return iterator(*this); }
  iterator end() const { return {}; }

  // Getting on lease (lease.hpp). The lease is empty if a limit expired or a stop was requested.

  template <class R = T>
  Lease<R> get_leased(const Stop& stop = {}) const {
    return get_leased_within<R>(client::no_limit, stop);
  }
  template <class R = T>
  Lease<R> get_leased_for(For limit, const Stop& stop = {}) const {
    return get_leased_within<R>(limit, stop);
  }
  template <class R = T>
  Lease<R> get_leased_until(Until end, const Stop& stop = {}) const {
    return get_leased_within<R>(end, stop);
  }
  template <class R = T>
  Lease<R> try_get_leased() const {
    return get_leased_within<R>(client::at_once);
  }
  /// Leases one by one, waiting for each, until the queue is closed and empty, or a stop is requested:
  /// `for (auto& lease : queue.leases()) { work(*lease); lease.done(); }`. A lease that is not done() is given
  /// back when the loop continues or ends, also by an exception.
  template <class R = T>
  Leases<R> leases(const Stop& stop = {}) const {
    return Leases<R>(*this, stop);
  }
  /// As get_many; each item has its own lease.
  template <class R = T>
  std::vector<Lease<R>> get_many_leased(std::size_t max, const Stop& stop = {}) const {
    return get_many_leased_within<R>(max, client::no_limit, stop);
  }
  template <class R = T>
  std::vector<Lease<R>> get_many_leased_for(std::size_t max, For limit, const Stop& stop = {}) const {
    return get_many_leased_within<R>(max, limit, stop);
  }
  template <class R = T>
  std::vector<Lease<R>> try_get_many_leased(std::size_t max) const {
    return get_many_leased_within<R>(max, client::at_once);
  }
  /// Ends all these leases of this queue in one round trip; those that have ended are skipped. Throws
  /// NotOwner, and ends none: see Lease::done().
  template <class R>
  void done(std::vector<Lease<R>>& leases) const {
    end_leases<Do::Done>(leases);
  }
  template <class R>
  void give_back(std::vector<Lease<R>>& leases) const {
    end_leases<Do::GiveBack>(leases);
  }

  /// Marks `count` items that were taken as done, for join(). Not for leased items, whose done() does so.
  /// Throws ValueError if more than were put and are not done.
  void task_done(std::size_t count = 1) const { call<Do::TaskDone>(count); }
  /// Waits until every item that was put is done.
  void join() const { join_within(client::no_limit); }
  /// These return whether all items were done in time.
  bool join(const Stop& stop) const { return join_within(client::no_limit, stop); }
  bool join_for(For limit, const Stop& stop = {}) const { return join_within(limit, stop); }
  bool join_until(Until end, const Stop& stop = {}) const { return join_within(end, stop); }

  /// Closes the queue for ever. Waiting puts throw Closed; waiting gets do when no items are left. With
  /// `immediate` all items are dropped, as if they were done, and leased items no longer return.
  void close(Closing how = Closing::draining) const { call<Do::Close>(how == Closing::immediate); }
  bool is_closed() const { return call<Do::IsClosed, bool>(); }

  /// Returns the number of items that can be taken now, without those on lease.
  std::size_t size() const { return call<Do::Size, std::size_t>(); }
  bool empty() const { return size() == 0; }
  /// Returns whether a put would wait. Items that are given back enter even a full queue.
  bool full() const { return call<Do::IsFull, bool>(); }
  /// 0: no limit.
  std::size_t maxsize() const { return call<Do::MaxSize, std::size_t>(); }
  /// Returns the number of items on lease.
  std::size_t leased() const { return call<Do::Leased, std::size_t>(); }
  /// Returns the number of items put and not done, as join() counts them.
  std::size_t unfinished() const { return call<Do::Unfinished, std::size_t>(); }

 private:
  static constexpr std::size_t no_more = PTRDIFF_MAX;  // the largest count that travels

  bool put_within(const Item& item, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Put, bool>(limit, stop, item);
  }
  std::size_t put_many_within(const Items& items, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::PutMany, std::size_t>(limit, stop, items);
  }
  template <class R>
  std::optional<R> get_within(client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Get, std::optional<R>>(limit, stop);
  }
  template <class R>
  std::vector<R> get_many_within(std::size_t max, client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::GetMany, std::vector<R>>(limit, stop, std::min(max, no_more));
  }
  template <class R>
  Lease<R> get_leased_within(client::WaitLimit limit, const Stop& stop = {}) const {
    std::vector<Lease<R>> leases = get_many_leased_within<R>(1, limit, stop);
    return leases.empty() ? Lease<R>() : std::move(leases.front());
  }
  template <class R>
  std::vector<Lease<R>> get_many_leased_within(std::size_t max, client::WaitLimit limit,
                                               const Stop& stop = {}) const {
    auto granted =
        call_and_wait<Do::GetLeased, client::GrantedLeases<R>>(limit, stop, std::min(max, no_more));
    if (granted.error) {
      client::call_with_leases<Do::GiveBack>(*remote(), granted.ids);
      std::rethrow_exception(granted.error);
    }
    std::vector<Lease<R>> leases;
    leases.reserve(granted.ids.size());
    for (std::size_t i = 0; i < granted.ids.size(); ++i)
      leases.emplace_back(remote(), granted.ids[i], granted.deliveries[i], std::move(granted.items[i]));
    return leases;
  }
  template <class Op, class R>
  void end_leases(std::vector<Lease<R>>& leases) const {
    std::vector<std::int64_t> ids;
    for (const Lease<R>& lease : leases)
      if (lease) ids.push_back(lease.id());
    call<Op>(client::items_of<std::int64_t>(ids));
    for (Lease<R>& lease : leases) lease.forget();
  }
  bool join_within(client::WaitLimit limit, const Stop& stop = {}) const {
    return call_and_wait<Do::Join, bool>(limit, stop);
  }
};

template <class T, class Ops>
class BasicQueue<T, Ops>::iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using iterator_category = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using pointer = T*;

  iterator() = default;  // the end iterator
  explicit iterator(const BasicQueue& queue) : state_(std::make_shared<State>(queue)) { ++*this; }

  reference operator*() const { return *state_->item; }
  pointer operator->() const { return &*state_->item; }
  iterator& operator++() {
    try {
      state_->item = state_->queue.get();
    } catch (const Closed&) {
      state_.reset();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& a, const iterator& b) { return a.state_ == b.state_; }

 private:
  struct State {
    explicit State(const BasicQueue& from) : queue(from) {}
    BasicQueue queue;
    std::optional<T> item{};
  };
  std::shared_ptr<State> state_;  // shared by copies, as those of std::istream_iterator share their stream
};

/// What leases() returns: a range for a single pass by one thread.
template <class T, class Ops>
template <class R>
class BasicQueue<T, Ops>::Leases {
 public:
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Lease<R>;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(Leases& leases) : leases_(&leases) { ++*this; }
    value_type& operator*() const { return leases_->current_; }
    value_type* operator->() const { return &leases_->current_; }
    iterator& operator++() {
      leases_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.ended(); }

   private:
    bool ended() const { return leases_->ended_; }

    Leases* leases_ = nullptr;
  };

  Leases(const BasicQueue& queue, const Stop& stop) : queue_(queue), stop_(stop) {}
  Leases(Leases&&) noexcept = default;
  Leases& operator=(Leases&&) noexcept = default;

  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  void next() {
    current_ = {};  // given back before the next one is waited for
    try {
      current_ = queue_.template get_leased<R>(stop_);
      ended_ = !current_;
    } catch (const Closed&) {
      ended_ = true;
    }
  }

  BasicQueue queue_;
  Stop stop_;
  Lease<R> current_;
  bool ended_ = false;
};

template <class T = nlohmann::json>
using Queue = BasicQueue<T, ops::Queue>;
template <class T = nlohmann::json>
using LifoQueue = BasicQueue<T, ops::LifoQueue>;
template <class T = nlohmann::json>
using PriorityQueue = BasicQueue<T, ops::PriorityQueue>;

}  // namespace tandem
