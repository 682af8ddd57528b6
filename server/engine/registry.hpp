#pragma once
// Every hosted object, by id and by name, and who holds it: sessions and containers. An object without a name goes
// when nobody holds it any more; one with a name goes when it is removed. Ids come from a counter and are never reused.

#include <map>
#include <unordered_map>
#include <vector>

#include "server/engine/object.hpp"
#include "server/structures/id_table.hpp"
#include "server/structures/reclaim_queue.hpp"
#include "server/values/validate.hpp"
#include "tandem/hosted/type.hpp"
#include "tandem/limits.hpp"

namespace tandem::server {

class Registry final : public ReferenceCounter, public ReferenceCheck {
 public:
  Registry(const Limits& limits, std::span<const Type* const> types);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const Type* type_named(std::string_view name) const;
  std::span<const Type* const> types() const { return types_; }

  Object* find(ObjectId id) {
    Object** found = by_id_.find(id);
    return found == nullptr ? nullptr : *found;
  }
  const Object* find(ObjectId id) const { return const_cast<Registry*>(this)->find(id); }
  Object* find(std::string_view name);
  const Object* find(std::string_view name) const { return const_cast<Registry*>(this)->find(name); }

  /// Takes over a new object. Held by nobody yet: without a name it goes at the end of the step unless held by then.
  Object& adopt(std::unique_ptr<Object> object);
  /// `name` must be free.
  void give_name(Object& object, std::string_view name);
  /// Removes a named object, whoever holds it.
  bool remove(std::string_view name);

  /// Calls `f(const Object&)` in the order of ids, beginning behind `after`, until it returns false.
  template <class F>
  void each(ObjectId after, F&& f) const {
    for (auto at = objects_.upper_bound(after); at != objects_.end(); ++at)
      if (!f(*at->second)) return;
  }
  /// Objects there, the manager itself not counted.
  std::uint64_t size() const { return objects_.size() - 1; }
  ObjectId next_id() const { return next_id_; }

  // Who holds what.
  void open(SessionId session, SessionId inherits_from);
  void close(SessionId session);
  bool has(SessionId session) const { return sessions_.find(session) != sessions_.end(); }
  /// Counts for `session` every reference in `reply`, which is about to be sent to it.
  void hold(SessionId session, wire::Bytes reply);
  void hold(SessionId session, ObjectId id);
  /// Gives back `count` references; more than held, or of an object that is gone, is not an error.
  void give_back(SessionId session, ObjectId id, std::uint64_t count);
  std::uint64_t references_of(SessionId session) const;
  std::size_t sessions_count() const { return sessions_.size(); }
  template <class F>
  void each_session(F&& f) const {  // f(SessionId, const IdTable<std::uint64_t>&), in the order of ids
    for (const auto& [id, held] : sessions_) f(id, held.counts);
  }

  void retain(ObjectId id) override;
  void release(ObjectId id) override;
  /// The same for values that may outlive this registry: counts in vain from then on.
  std::shared_ptr<hosting::References> weak_references() const { return lasting_; }
  Result<void> check(wire::Reference reference) const override;
  /// What clean_up() does at most in one step, counted in elements. An object counts as several.
  static constexpr std::int64_t cleaning_per_step_max = 4'096;
  /// Destroys whatever nobody holds any more, and what only that held, and frees large contents that objects have let
  /// go of; as long as `elements_left` is positive, which it reduces.
  void clean_up(std::int64_t& elements_left);
  /// Whether clean_up() would find nothing.
  bool is_clean() const { return unheld_.empty() && graveyard_.empty(); }
  /// Where objects leave large contents.
  ReclaimQueue& reclaim_queue() { return graveyard_; }

  /// Brings the total up to date after `object` changed.
  void account(Object& object) {
    std::uint64_t now = object.memory_bytes();
    memory_bytes_ += now - object.accounted_bytes_;
    object.accounted_bytes_ = now;
  }
  /// Of all objects, and of what they have let go of and is not freed yet.
  std::uint64_t memory_bytes() const { return memory_bytes_ + graveyard_.memory_bytes(); }
  /// Called with an object that goes, while it is still there.
  std::function<void(Object&)> before_destroyed;
  const Limits& limits() const { return limits_; }

 private:
  // Without contents: the object, its places in the tables, its name.
  static constexpr std::uint64_t object_overhead_bytes = 256;
  static constexpr std::int64_t elements_per_object = 8;  // in the effort to destroy it

  struct Lasting final : hosting::References {
    explicit Lasting(Registry* counting) : registry(counting) {}
    void retain(std::uint64_t id) override;
    void release(std::uint64_t id) override;
    Registry* registry;  // null once it is gone
  };

  void destroy(Object& object);
  void drop(ObjectId id, std::uint64_t count);

  const std::shared_ptr<Lasting> lasting_ = std::make_shared<Lasting>(this);
  const Limits& limits_;
  std::span<const Type* const> types_;

  IdTable<Object*> by_id_;  // the quick way to what objects_ owns
  std::map<ObjectId, std::unique_ptr<Object>> objects_;
  std::map<std::string, Object*, std::less<>> by_name_;
  ObjectId next_id_ = 1;
  std::vector<ObjectId> unheld_;  // maybe: held again, or gone, when looked at

  struct Held {
    IdTable<std::uint64_t> counts;  // by object
    std::uint64_t sum = 0;
  };
  std::map<SessionId, Held> sessions_;  // references held

  std::uint64_t memory_bytes_ = 0;
  ReclaimQueue graveyard_;
};

}  // namespace tandem::server
