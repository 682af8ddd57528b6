#pragma once
// Lease<T>: an item taken from a queue that returns to it unless the holder calls done(). See queue.hpp.

#include <cstdint>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "tandem/ops/queue.hpp"
#include "tandem/proxy/proxy.hpp"

namespace tandem {

namespace client {

/// Calls `Op`, done or give_back, for these leases.
template <class Op>
void call_with_leases(const RemoteObject& queue, const std::vector<std::int64_t>& leases) {
  Call call(queue, Op::description, 1);
  encode_arguments<Op>(call.arguments(), items_of<std::int64_t>(leases));
  decode_result<typename Op::Result, void>(call.send());
}

/// The leases in a reply. Their ids are known even if an item cannot be read as a T, to give them back.
template <class T>
struct GrantedLeases {
  std::vector<std::int64_t> ids;
  std::vector<std::uint64_t> deliveries;
  std::vector<T> items;
  std::exception_ptr error;
};

template <class T>
struct ResultOf<ops::Items, GrantedLeases<T>> {
  static GrantedLeases<T> decode(Decoder& from) {
    GrantedLeases<T> granted;
    wire::Reader ahead = from.reader;
    std::uint32_t count = 0;
    if (!ahead.array(count)) throw_mismatch(from.reader, "leases");
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t parts = 0;
      std::int64_t id = 0;
      std::int64_t deliveries = 0;
      if (!ahead.array(parts) || parts != 3 || !ahead.int64(id) || !ahead.int64(deliveries) || !ahead.skip())
        throw_mismatch(from.reader, "leases");
      granted.ids.push_back(id);
      granted.deliveries.push_back(static_cast<std::uint64_t>(deliveries));
    }
    try {
      using Parts = std::tuple<std::int64_t, std::int64_t, T>;
      for (Parts& parts : Codec<std::vector<Parts>>::decode(from))
        granted.items.push_back(std::get<2>(std::move(parts)));
    } catch (...) {
      granted.error = std::current_exception();
    }
    return granted;
  }
};

}  // namespace client

/// An item, and the duty to call done() for it. A lease destroyed without done(), because of an exception
/// say, gives the item back, and so does the manager when the process that took it ends: the item returns to
/// its old position, and deliveries() tells the next holder that it was leased before. While leased, the item
/// is in no queue, no other getter receives it, and the objects it refers to stay alive.
///
/// A lease that was asked for within a limit or with a stop token is empty if none was granted: `while (auto
/// lease = queue.get_leased_for(1s)) { work(*lease); lease.done(); }`.
///
/// A lease belongs to the process that took it; any of its threads may end it. Movable, not copyable; used by
/// one thread at a time.
template <class T>
class [[nodiscard]] Lease {
 public:
  using value_type = T;

  Lease() = default;  // empty
  Lease(Lease&& other) noexcept
      : queue_(std::move(other.queue_)),
        id_(other.id_),
        deliveries_(other.deliveries_),
        item_(std::move(other.item_)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    drop();
    queue_ = std::move(other.queue_);
    id_ = other.id_;
    deliveries_ = other.deliveries_;
    item_ = std::move(other.item_);
    return *this;
  }
  ~Lease() { drop(); }

  /// Returns whether the lease is open: an item was taken, and neither done() nor give_back() has been called.
  explicit operator bool() const noexcept { return queue_ != nullptr; }
  /// The item, also once the lease has ended. Throws ValueError if the lease is empty.
  T& operator*() { return item(); }
  const T& operator*() const { return item(); }
  T* operator->() { return &item(); }
  const T* operator->() const { return &item(); }
  /// Returns how often the item was leased, this time included: 1 unless an earlier holder failed.
  std::uint64_t deliveries() const noexcept { return deliveries_; }

  /// Ends the lease: the item is done, which counts as task_done(). Throws ValueError if the lease has ended
  /// already; NotOwner if the manager considers this process dead or it is a forked child of the one that
  /// took the item, so that another holder may have it by now.
  void done() { end<ops::QueueOperations::Done>(); }
  /// Puts the item back into the queue. Throws ValueError, NotOwner.
  void give_back() { end<ops::QueueOperations::GiveBack>(); }

  /// For internal use.
  Lease(std::shared_ptr<client::RemoteObject> queue, std::int64_t id, std::uint64_t deliveries, T item)
      : queue_(std::move(queue)), id_(id), deliveries_(deliveries), item_(std::move(item)) {}
  std::int64_t id() const noexcept { return id_; }
  void forget() noexcept { queue_.reset(); }

 private:
  const T& item() const {
    if (!item_) throw ValueError("the lease is empty: no item was taken");
    return *item_;
  }
  T& item() { return const_cast<T&>(std::as_const(*this).item()); }
  template <class Op>
  void end() {
    if (queue_ == nullptr)
      throw ValueError(item_ ? "the lease has ended: it was done or given back"
                             : "the lease is empty: no item was taken");
    const auto queue = std::exchange(queue_, nullptr);  // not retried, whatever the outcome
    client::call_with_leases<Op>(*queue, std::vector<std::int64_t>{id_});
  }
  void drop() noexcept {
    if (queue_ == nullptr) return;
    try {
      give_back();
    } catch (const std::exception&) {
      // The lease has ended with the manager, the queue or the session.
    }
  }

  std::shared_ptr<client::RemoteObject> queue_;
  std::int64_t id_ = 0;
  std::uint64_t deliveries_ = 0;
  std::optional<T> item_;
};

}  // namespace tandem
