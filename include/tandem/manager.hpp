#pragma once
// Manager: the connection to a manager process and to the objects it hosts.
//
//   Python's multiprocessing.Manager          here
//   Manager()                                 Manager m;                    private, ends with the last copy
//   BaseManager(address, authkey).connect()   Manager m(address, options);  attaches to a running one
//   m.dict(), m.dict({"a": 1})                m.dict<K, V>(), m.dict<K, V>({{"a", 1}})
//   m.list([1, 2])                            m.list<int>({1, 2})
//   m.Namespace()                             m.ns()
//   m.Value("i", 0)                           m.value<int>(0)
//   m.Array("i", 10), m.Array("i", [1, 2])    m.array<int>(10), m.array<int>({1, 2})
//   m.Lock(), m.RLock()                       m.lock(), m.rlock()
//   m.Condition(), m.Condition(lock)          m.condition(), m.condition(lock)
//   -                                         m.shared_lock()               many readers or one writer
//   -                                         m.locks<K>()                  a lock for each key
//   m.Event()                                 m.event()
//   m.Semaphore(3), m.BoundedSemaphore(3)     m.semaphore(3)                with owners; or as in Python:
//                                             m.semaphore(3, tandem::ownerless), m.bounded_semaphore(3, …)
//   m.Barrier(3)                              m.barrier(3), m.barrier(3, limit)
//   -                                         m.latch(3)
//   m.Queue(10), m.JoinableQueue(10)          m.queue<T>(10), m.lifo_queue<T>(10),
//                                             m.priority_queue<T>(10)
//   m.Pool(4)                                 tandem::Pool(m, {.workers = 4})               pool.hpp
//   -                                         m.dict<K, V>("scores")        get or create by name
//   BaseManager.register(…), m.Counter()      m.create<CounterProxy>()      your own hosted type (hosted.hpp)
//   -                                         m.atomically(function)        a transaction (transaction.hpp)
//   -                                         m.batch()                     many operations in one request
//   -                                         m.pipeline()                  operations sent without waiting
//   m.shutdown()                              m.shutdown()
//
// Omitted type arguments are nlohmann::json: m.dict() takes keys and values of any kind.

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/batch.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/options.hpp"
#include "tandem/pipeline.hpp"
#include "tandem/proxy/array.hpp"
#include "tandem/proxy/barrier.hpp"
#include "tandem/proxy/condition.hpp"
#include "tandem/proxy/dict.hpp"
#include "tandem/proxy/event.hpp"
#include "tandem/proxy/fenced.hpp"
#include "tandem/proxy/latch.hpp"
#include "tandem/proxy/list.hpp"
#include "tandem/proxy/lock.hpp"
#include "tandem/proxy/locks.hpp"
#include "tandem/proxy/namespace.hpp"
#include "tandem/proxy/queue.hpp"
#include "tandem/proxy/semaphore.hpp"
#include "tandem/proxy/set.hpp"
#include "tandem/proxy/shared_lock.hpp"
#include "tandem/proxy/value.hpp"
#include "tandem/reconnection.hpp"
#include "tandem/transaction.hpp"

namespace tandem {

namespace client {

class Connector;  // client/transport/connector.hpp, internal: opens a session's channels

/// Adds the package's folder of programs to the places where tandemd is searched. The library alone cannot know it:
/// the program that it is linked into may be anywhere, and the package may have been moved. find_package states the
/// folder (null in tandem's own build); without CMake it is found from `header`, this file, unless the compiler was
/// given a relative path to it. Every file that includes this one does it: the first to know the folder counts.
bool search_tandemd_in(const char* folder);
bool search_tandemd_from(const char* header);
#ifdef TANDEM_PACKAGE_BINDIR
const bool tandemd_is_searched_in_package = search_tandemd_in(TANDEM_PACKAGE_BINDIR);
#else
const bool tandemd_is_searched_in_package = search_tandemd_from(__FILE__);
#endif

template <class P>
concept ProxyType = is_proxy<P>;
/// The sources of a dict's contents: a range of pairs, a JSON object, a dict or namespace of the same
/// manager.
template <class R, class K, class V>
concept EntrySource = EntryRange<R, K, V> || ProxyType<R> || Untyped<R>;
/// The sources of a list's or set's items: a range, a JSON array, a list, set or dict (its keys) of the same
/// manager.
template <class R, class T>
concept ItemSource = ItemRange<R, T> || ProxyType<R> || Untyped<R>;

}  // namespace client

/// The name of an object, or none. Converts from text, to which it refers, and from std::nullopt (unnamed).
class Name {
 public:
  Name() = default;
  Name(std::nullopt_t) {}
  Name(std::optional<std::string_view> text) : text_(text) {}
  template <std::convertible_to<std::string_view> T>
  Name(const T& text) : text_(text) {}

  const std::optional<std::string_view>& text() const { return text_; }

 private:
  std::optional<std::string_view> text_;
};

/// A manager's description of one of its objects.
struct ObjectInfo {
  std::uint64_t id = 0;
  std::string name;              // empty: unnamed
  std::string type;              // "dict", "list", …
  std::uint64_t size = 0;        // in elements
  std::uint64_t references = 0;  // held by client processes and by containers
  std::uint64_t memory_bytes = 0;
};

/// A request that waits in a manager.
struct WaitInfo {
  std::uint64_t ticket = 0;  // higher for later requests
  std::uint64_t object = 0;
  std::string type;
  std::string name;       // of the object; empty: unnamed
  std::string operation;  // "event.wait", …
  std::uint64_t session = 0;
  std::uint32_t pid = 0;
  std::uint32_t actor = 0;  // which thread of the process
  std::chrono::microseconds waited{};
  std::optional<std::chrono::microseconds> left;  // none: waits without limit
};

/// What a client process owns of an object: a lock, permits, leased items.
struct HoldingInfo {
  std::uint64_t object = 0;
  std::string type;
  std::string name;  // of the object; empty: unnamed
  std::string mode;  // "exclusive", "shared", "permits", "leased"
  std::string key;   // of a keyed lock, as text; else empty
  std::uint64_t session = 0;
  std::uint32_t pid = 0;
  std::uint32_t actor = 0;
  std::uint64_t count = 1;  // depth, permits, items
  std::uint64_t token = 0;  // 0: none
  std::chrono::microseconds held{};
};

/// A handle; copies share one session of this process with the manager. Threads may use one Manager at once.
/// A forked child can use inherited handles and proxies, in a session of its own.
///
/// A private manager belongs to the process that started it and ends with the last handle there, with
/// shutdown(), or within a second of that process's death. Proxies do not keep it alive: later calls throw
/// ConnectionError.
///
/// Named objects live until remove(), unnamed ones as long as a proxy or a container refers to them.
///
/// Every operation, here and on proxies, is one round trip, and may throw ConnectionError (the manager cannot
/// be reached or was lost; the text names the address and the call) and Timeout (call_timeout ran out;
/// whether the operation was carried out is unknown. The session continues, unless the operation is one that
/// waits: later calls then throw SessionLost). A failed call is never repeated automatically.
class Manager {
 public:
  using Operations = ops::Manager;

  /// Starts a private manager and returns when it is ready: a tandemd, searched for at $TANDEM_TANDEMD, or
  /// else beside the running program, beside the library, in the package of these headers, where it was
  /// installed, and in PATH.
  /// ConnectionError names the places searched, or how tandemd ended. Keys in `options` are refused
  /// (ValueError): it gets a key of its own.
  Manager();
  explicit Manager(const Options& options);
  /// Attaches to the manager at an address (forms: address.hpp). ValueError: malformed address, or no
  /// readable key file. ConnectionError, Timeout: no answer. AuthenticationError: another authkey, a user
  /// that may not connect, or no authkey for another user's manager. VersionError, ProtocolError: the peer has another version, or is no manager.
  explicit Manager(std::string_view address, const Options& options = {});
  /// Attaches to $TANDEM_ADDRESS, with the key in the file $TANDEM_AUTHKEY_FILE if that is set; `options`
  /// supplies the rest. ValueError: TANDEM_ADDRESS is not set, or TANDEM_AUTHKEY_FILE and options.authkey are
  /// both set.
  static Manager from_environment(Options options = {});
  /// For the library's own use: attaches through a connector, or uses a session that this process was given.
  Manager(std::unique_ptr<client::Connector> connector, const Options& options);
  explicit Manager(client::SessionPtr session);

  /// Contents in braces, from which T is not deduced.
  template <class T>
  using Braced = std::initializer_list<std::type_identity_t<T>>;

  // Each of the following creates an unnamed object, empty or with contents. Given a name first, it returns
  // the object of that name; if there is none, it creates one with the contents. TypeError: an object of
  // another type has that name.

  template <class K = nlohmann::json, class V = nlohmann::json>
  Dict<K, V> dict(Name name = {}) const {
    return create<Dict<K, V>>(name);
  }
  template <class K = nlohmann::json, class V = nlohmann::json>
  Dict<K, V> dict(Braced<std::pair<K, V>> entries) const {
    return create<Dict<K, V>>(std::nullopt, client::entries_of<K, V>(entries));
  }
  template <class K = nlohmann::json, class V = nlohmann::json, client::EntrySource<K, V> R>
  Dict<K, V> dict(const R& entries) const {
    return create<Dict<K, V>>(std::nullopt, client::entries_of<K, V>(entries));
  }
  template <class K = nlohmann::json, class V = nlohmann::json>
  Dict<K, V> dict(Name name, Braced<std::pair<K, V>> entries) const {
    return create<Dict<K, V>>(name, client::entries_of<K, V>(entries));
  }
  template <class K = nlohmann::json, class V = nlohmann::json, client::EntrySource<K, V> R>
  Dict<K, V> dict(Name name, const R& entries) const {
    return create<Dict<K, V>>(name, client::entries_of<K, V>(entries));
  }

  template <class T = nlohmann::json>
  List<T> list(Name name = {}) const {
    return create<List<T>>(name);
  }
  template <class T = nlohmann::json>
  List<T> list(Braced<T> items) const {
    return create<List<T>>(std::nullopt, client::items_of<T>(items));
  }
  template <class T = nlohmann::json, client::ItemSource<T> R>
  List<T> list(const R& items) const {
    return create<List<T>>(std::nullopt, client::items_of<T>(items));
  }
  template <class T = nlohmann::json>
  List<T> list(Name name, Braced<T> items) const {
    return create<List<T>>(name, client::items_of<T>(items));
  }
  template <class T = nlohmann::json, client::ItemSource<T> R>
  List<T> list(Name name, const R& items) const {
    return create<List<T>>(name, client::items_of<T>(items));
  }

  template <class T = nlohmann::json>
  Set<T> set(Name name = {}) const {
    return create<Set<T>>(name);
  }
  template <class T = nlohmann::json>
  Set<T> set(Braced<T> items) const {
    return create<Set<T>>(std::nullopt, client::items_of<T>(items));
  }
  template <class T = nlohmann::json, client::ItemSource<T> R>
  Set<T> set(const R& items) const {
    return create<Set<T>>(std::nullopt, client::items_of<T>(items));
  }
  template <class T = nlohmann::json>
  Set<T> set(Name name, Braced<T> items) const {
    return create<Set<T>>(name, client::items_of<T>(items));
  }
  template <class T = nlohmann::json, client::ItemSource<T> R>
  Set<T> set(Name name, const R& items) const {
    return create<Set<T>>(name, client::items_of<T>(items));
  }

  Namespace ns(Name name = {}) const { return create<Namespace>(name); }

  template <class T = nlohmann::json>
  Value<T> value(client::In<T> initial) const {
    return create<Value<T>>(std::nullopt, initial);
  }
  template <class T = nlohmann::json>
  Value<T> value(Name name, client::In<T> initial) const {
    return create<Value<T>>(name, initial);
  }

  /// `size` zeros.
  template <client::Arithmetic T>
  Array<T> array(std::size_t size) const {
    return create_array<T>(std::nullopt, size, size);
  }
  template <client::Arithmetic T>
  Array<T> array(std::initializer_list<T> elements) const {
    return create_array<T>(std::nullopt, client::RawElements<T>(elements), elements.size());
  }
  template <client::Arithmetic T, client::ItemRange<T> R>
  Array<T> array(const R& elements) const {
    std::vector<T> copied(std::ranges::begin(elements), std::ranges::end(elements));
    return create_array<T>(std::nullopt, client::RawElements<T>(copied), copied.size());
  }
  /// An existing array must have this length (ValueError) and this element type (TypeError).
  template <client::Arithmetic T>
  Array<T> array(Name name, std::size_t size) const {
    return create_array<T>(name, size, size);
  }
  template <client::Arithmetic T>
  Array<T> array(Name name, std::initializer_list<T> elements) const {
    return create_array<T>(name, client::RawElements<T>(elements), elements.size());
  }
  template <client::Arithmetic T, client::ItemRange<T> R>
  Array<T> array(Name name, const R& elements) const {
    std::vector<T> copied(std::ranges::begin(elements), std::ranges::end(elements));
    return create_array<T>(name, client::RawElements<T>(copied), copied.size());
  }

  Lock lock(Name name = {}) const { return create<Lock>(name); }
  RLock rlock(Name name = {}) const { return create<RLock>(name); }

  SharedLock shared_lock(Name name = {}) const { return create<SharedLock>(name); }

  template <class K = nlohmann::json>
  Locks<K> locks(Name name = {}) const {
    return create<Locks<K>>(name);
  }

  /// With an RLock of its own, or with a Lock or RLock of this manager.
  Condition condition(Name name = {}) const { return create<Condition>(name); }
  Condition condition(const Lock& lock) const { return create<Condition>(std::nullopt, lock); }
  Condition condition(const RLock& lock) const { return create<Condition>(std::nullopt, lock); }
  Condition condition(Name name, const Lock& lock) const { return create<Condition>(name, lock); }
  Condition condition(Name name, const RLock& lock) const { return create<Condition>(name, lock); }

  Event event(Name name = {}) const { return create<Event>(name); }

  /// ValueError: fewer than 0 permits.
  Semaphore semaphore(client::AnyInteger permits = 1) const {
    return create<Semaphore>(std::nullopt, permits);
  }
  Semaphore semaphore(client::AnyInteger permits, Ownerless) const {
    return create<Semaphore>(std::nullopt, permits, false, true);
  }
  Semaphore semaphore(Name name, client::AnyInteger permits = 1) const {
    return create<Semaphore>(name, permits);
  }
  Semaphore semaphore(Name name, client::AnyInteger permits, Ownerless) const {
    return create<Semaphore>(name, permits, false, true);
  }
  Semaphore bounded_semaphore(client::AnyInteger permits = 1) const {
    return create<Semaphore>(std::nullopt, permits, true);
  }
  Semaphore bounded_semaphore(client::AnyInteger permits, Ownerless) const {
    return create<Semaphore>(std::nullopt, permits, true, true);
  }
  Semaphore bounded_semaphore(Name name, client::AnyInteger permits = 1) const {
    return create<Semaphore>(name, permits, true);
  }
  Semaphore bounded_semaphore(Name name, client::AnyInteger permits, Ownerless) const {
    return create<Semaphore>(name, permits, true, true);
  }

  /// `limit`: for waits without a limit of their own. ValueError: fewer than one party.
  Barrier barrier(std::size_t parties, std::optional<std::chrono::microseconds> limit = {}) const {
    return create<Barrier>(std::nullopt, parties, count_of(limit));
  }
  Barrier barrier(Name name, std::size_t parties, std::optional<std::chrono::microseconds> limit = {}) const {
    return create<Barrier>(name, parties, count_of(limit));
  }
  /// ValueError: `expected` is negative.
  Latch latch(client::AnyInteger expected) const { return create<Latch>(std::nullopt, expected); }
  Latch latch(Name name, client::AnyInteger expected) const { return create<Latch>(name, expected); }

  /// Holds at most `maxsize` items; unlimited if it is 0 or less, as in Python.
  template <class T = nlohmann::json>
  Queue<T> queue(client::AnyInteger maxsize = 0) const {
    return create<Queue<T>>(std::nullopt, maxsize);
  }
  template <class T = nlohmann::json>
  Queue<T> queue(Name name, client::AnyInteger maxsize = 0) const {
    return create<Queue<T>>(name, maxsize);
  }
  template <class T = nlohmann::json>
  LifoQueue<T> lifo_queue(client::AnyInteger maxsize = 0) const {
    return create<LifoQueue<T>>(std::nullopt, maxsize);
  }
  template <class T = nlohmann::json>
  LifoQueue<T> lifo_queue(Name name, client::AnyInteger maxsize = 0) const {
    return create<LifoQueue<T>>(name, maxsize);
  }
  template <class T = nlohmann::json>
  PriorityQueue<T> priority_queue(client::AnyInteger maxsize = 0) const {
    return create<PriorityQueue<T>>(std::nullopt, maxsize);
  }
  template <class T = nlohmann::json>
  PriorityQueue<T> priority_queue(Name name, client::AnyInteger maxsize = 0) const {
    return create<PriorityQueue<T>>(name, maxsize);
  }

  /// For your own types (hosted.hpp, proxy/proxy_of.hpp): `arguments` are those of P's Create. For an unnamed
  /// object, pass nullopt as the name: `m.create<CounterProxy>(std::nullopt, 10)`. TypeError: the manager
  /// hosts no such type.
  template <client::ProxyType P, class... A>
  P create(Name name = {}, const A&... arguments) const {
    return P(obtain<P>(name, arguments...).first);
  }

  /// Says at compile time that the name is missing.
  template <client::ProxyType P, class First, class... A>
  requires(!std::convertible_to<const First&, Name>) P create(const First&, const A&...)
  const {
    static_assert(client::never<P>,
                  "create<P>(name, arguments...): the object's name comes first, std::nullopt for none");
    return P();
  }

  /// Returns an existing object: `m.get<Dict<std::string, int>>("scores")`. NotFound; TypeError.
  template <client::ProxyType P>
  P get(std::string_view name) const {
    return call<ops::Manager::Get, P>(name, P::Operations::type);
  }
  bool exists(std::string_view name) const { return call<ops::Manager::Exists, bool>(name); }
  /// Removes the name and the object: proxies to it throw ObjectGone from now on. Returns whether there was
  /// one.
  bool remove(std::string_view name) const { return call<ops::Manager::Remove, bool>(name); }
  /// Returns all objects, or those of one type, in order of creation. Read by pages: objects created or
  /// removed meanwhile may be listed or missing.
  std::vector<ObjectInfo> objects(std::optional<std::string_view> type = {}) const;

  /// All waiting requests, oldest first, and everything that client processes own, by object id. Read by
  /// pages, as objects().
  std::vector<WaitInfo> waits() const;
  std::vector<HoldingInfo> holdings() const;
  /// Lock owners that wait for each other in a cycle now: one text per cycle, naming its links. Only waits
  /// with a time limit can be in one, unless the manager tolerates deadlocks (OnDeadlock::report).
  std::vector<std::string> deadlocks() const {
    return call<ops::Manager::Deadlocks, std::vector<std::string>>();
  }

  /// Sets the callback for the case that this process's session ends while the process lives: the manager heard
  /// nothing from it for session_lease_ms (a stopped process, a broken network). Locks that it owned were
  /// released; the text names them. A process that is cut off acts on the same lease: when no request of its last
  /// session_lease_ms was answered, it takes the session for lost, and its text cannot name them. From then on
  /// every call, those under way too, throws the same SessionLost; a new Manager starts a new session. The
  /// callback is called once, on any thread, at the latest by the first call that fails; at once if the session
  /// is lost already. It must not wait for other threads that use this Manager.
  /// There is one per process and session; a new one replaces it.
  void on_session_lost(std::function<void(const SessionLost&)> callback) const;

  /// Sets the callback for connections of this process that broke and were made anew (Options::reconnect): the manager was
  /// started again with its journal, or the network had failed. Nothing is lost by that; locks stay owned, waits go on. The
  /// callback is called once for each start of the manager and for each other connection, on the thread whose call found it
  /// broken, in the middle of that call. It must not wait for other threads that use this Manager.
  /// There is one per process and session; a new one replaces it.
  void on_reconnect(std::function<void(const Reconnection&)> callback) const;

  /// Runs the function as one transaction (transaction.hpp) and returns its result. The function may run
  /// several times. Its exceptions are passed on, with nothing written; Conflict after options.attempts_max
  /// runs.
  template <std::invocable<Transaction&> F>
  std::invoke_result_t<F&, Transaction&> atomically(F&& function,
                                                    const TransactionOptions& options = {}) const {
    return client::atomically(session(), function, options);
  }
  /// Many operations in one request (batch.hpp).
  Batch batch() const { return Batch(session()); }
  /// Many operations sent without waiting for replies (pipeline.hpp). Opens a channel if none is free.
  Pipeline pipeline() const { return Pipeline(session()); }

  /// One round trip that does nothing.
  void ping() const { call<ops::Manager::Ping>(); }
  /// Returns what the manager reports about itself as a JSON object: version, limits, counts.
  nlohmann::json information() const { return call<ops::Manager::Information, nlohmann::json>(); }

  /// The address at which the manager listens.
  std::string address() const;
  /// Ends a private manager now, for all handles, and returns when it has ended. Does nothing if it has ended
  /// already or was not started by this process.
  void shutdown() const;

  /// For the library's own use.
  const client::SessionPtr& session() const { return object().session(); }

 private:
  struct State;
  explicit Manager(std::shared_ptr<State> state) : state_(std::move(state)) {}
  static std::optional<std::int64_t> count_of(std::optional<std::chrono::microseconds> limit) {
    return limit ? std::optional<std::int64_t>(limit->count()) : std::nullopt;
  }

  const client::RemoteObject& object() const;

  template <class Op, class R = void, class... A>
  R call(const A&... arguments) const {
    client::Call call(object(), Op::description, sizeof...(A));
    client::encode_arguments<Op>(call.arguments(), arguments...);
    return client::decode_result<typename Op::Result, R>(call.send());
  }
  /// Returns the object, and whether this call created it.
  template <class P, class... A>
  std::pair<std::shared_ptr<client::RemoteObject>, bool> obtain(Name name, const A&... contents) const {
    using Operations = typename P::Operations;
    return call<ops::Manager::Create, std::pair<std::shared_ptr<client::RemoteObject>, bool>>(
        Operations::type, name.text(), client::arguments_of<typename Operations::Create>(contents...));
  }
  template <client::Arithmetic T, class A>
  Array<T> create_array(Name name, const A& contents, std::size_t size) const {
    auto [remote, is_new] = obtain<Array<T>>(name, Array<T>::typecode, contents);
    Array<T> array(std::move(remote));
    if (is_new) return array;
    array.check_type();
    if (std::size_t found = array.size(); found != size)
      throw ValueError("asked for array \"" + std::string(*name.text()) + "\" of " + std::to_string(size) +
                       " elements, found one of " + std::to_string(found));
    return array;
  }

  std::shared_ptr<State> state_;
};

/// A Manager can be an argument of a spawned process; any other encoding throws TypeError. A private one
/// still belongs to the process that started it.
template <>
struct Codec<Manager> {
  static void encode(Encoder& to, const Manager& manager);
  static Manager decode(Decoder& from);
  static std::string name() { return "a Manager"; }
};

}  // namespace tandem
