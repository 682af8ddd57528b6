#pragma once
// Your own hosted types: what BaseManager.register is to Python's managers. A manager inside your program
// (tandem/server.hpp) hosts objects of a class that you write. Clients, in this process or elsewhere, use
// them through a proxy (tandem/proxy/proxy_of.hpp). The manager carries out one operation at a time, each to
// its end.
//
//   struct CounterOps {                                              // both sides include this
//     static constexpr std::string_view type = "counter";
//     static constexpr std::uint8_t number = 128;                    // 128…255 are yours
//     using Create = tandem::ops::Op<0, "create(start=0)", tandem::ops::Effect::writes,
//                                    void(tandem::ops::Optional<tandem::ops::Int>)>;
//     using Next = tandem::ops::Op<1, "next()", tandem::ops::Effect::writes, tandem::ops::Int()>;
//     using All = tandem::ops::OpList<Create, Next>;
//   };
//
//   class Counter {                                                  // the manager's side
//    public:
//     using Ops = CounterOps;
//     void on(Ops::Create, std::optional<int> start) { value_ = start.value_or(0); }
//     int on(Ops::Next) { return value_++; }
//    private:
//     int value_ = 0;
//   };
//   tandem::Server server({.listen = {"unix:/run/counters"}, .types = {tandem::hosted<Counter>()}});
//
//   struct CounterProxy : tandem::ProxyOf<CounterOps> {              // the clients' side
//     using ProxyOf::ProxyOf;
//     int next() { return call<CounterOps::Next, int>(); }
//   };
//   auto tickets = manager.create<CounterProxy>("tickets");
//
// Handlers. One public `on(Operation, parameters…)` for each operation, const if the operation reads.
// Operation 0 is Create, whose handler fills a default-constructed object. Parameter and return types follow
// the declaration (ops/op.hpp); anything else does not compile:
//
//   declared     a handler takes                           and returns
//   Any          any type with a codec, HeldValue          the same
//   Bool, Int    bool; an integer or an enum               the same
//   Text         std::string, std::string_view             what converts to std::string_view
//   Bytes        tandem::Bytes, span<const std::byte>,     the same but for the span
//                a vector of numbers (its raw elements)
//   Reference    HeldValue                                 HeldValue
//   Items        vector, set, array, tuple, JSON           the same
//   Entries      map, vector of pairs (in order), JSON     the same
//   Map          -                                         std::map with text keys, JSON
//   Maybe        std::optional                             std::optional
//   Optional<T>  std::optional of what T takes             -
//   Tuple<T…>    -                                         std::tuple, std::pair
//
// Views are valid during the call. Items and Entries also accept a hosted list, set, dict or namespace and
// read its contents. Only HeldValue keeps references to hosted objects, wherever it occurs in the value; a
// value with a reference that is read as any other type is refused (TypeError). Handlers must not use
// proxies, nor a Manager of the same server: their calls would wait for the manager's thread, which runs the
// handler.
//
// Errors. Exceptions of handlers reach the client: KeyError, IndexError, TypeError, ValueError,
// OverflowError, NotFound, ObjectGone, ResourceExhausted and the other errors of operations as the same class
// with the same text; any other exception as RemoteError, "CLASS: TEXT". The manager continues. The object is
// as the handler left it; it is destroyed if its Create failed.
//
// Optional members, all const but load():
//
//   size()          number of elements; 1 without it. Required if show() shows entries or items
//   memory_bytes()  memory held beyond sizeof(T), for memory_bytes_max; 0 without it. Must be fast: called
//                   after each change
//   show()          contents to display (debug endpoint, `tandem get`): a map or a vector of pairs is shown
//                   as entries, another container as items, anything else as one value. Without it, T's
//                   to_json (nlohmann::json) is used, if there is one. Called for every page. Equal objects
//                   must show equal contents, so that states can be compared.
//   save()          all of the state, as any type with a codec (HeldValue in it keeps references); and
//   load(saved)     which takes that type and brings a default-constructed object into that state, so that
//                   the same calls have the same results from there on. A manager with a journal
//                   (ServerOptions::journal) requires both. Snapshots are made in a forked child: save()
//                   must not need a lock or another thread there
//
// Handlers run on the manager's thread, one at a time, and stall all clients while they run: no waiting, no
// I/O. The same calls must lead to the same state: no clocks, no random numbers. Objects are destroyed on
// that thread, or by ~Server.

#include "tandem/hosted/handler.hpp"
#include "tandem/hosted/type.hpp"

namespace tandem {

namespace hosting {

template <class T>
concept HasShow = requires(const T& object) {
  object.show();
};

template <class T>
concept HasSize = requires(const T& object) {
  { object.size() } -> std::convertible_to<std::uint64_t>;
};
template <class T>
concept HasMemoryBytes = requires(const T& object) {
  { object.memory_bytes() } -> std::convertible_to<std::uint64_t>;
};

template <class T>
concept HasSave = requires(const T& object) {
  object.save();
};
template <class T>
concept HasLoad = requires(T& object) {
  object.load(object.save());
};

template <class T>
consteval Shown shown_by() {
  if constexpr (HasShow<T>) {
    using Contents = std::remove_cvref_t<decltype(std::declval<const T&>().show())>;
    static_assert(client::Encodable<Contents>, "show() returns a type that has a codec");
    if (client::Untyped<Contents>) return Shown::value;
    return is_entries<Contents> ? Shown::entries : is_items<Contents> ? Shown::items : Shown::value;
  }
  return client::JsonWritable<T> ? Shown::value : Shown::nothing;
}

template <class T>
class InstanceOf final : public Instance {
 public:
  std::uint64_t size() const override {
    if constexpr (HasSize<T>) return static_cast<std::uint64_t>(object.size());
    else return 1;
  }
  std::uint64_t memory_bytes() const override {
    if constexpr (HasMemoryBytes<T>) return sizeof(T) + static_cast<std::uint64_t>(object.memory_bytes());
    else return sizeof(T);
  }
  void show(wire::Buffer& out) const override {
    Encoder to{wire::Writer(out), nullptr};
    if constexpr (shown_by<T>() == Shown::entries) Result<ops::Entries>::put(to, object.show());
    else if constexpr (HasShow<T>) Result<ops::Any>::put(to, object.show());
    else if constexpr (client::JsonWritable<T>) Codec<T>::encode(to, object);
    else to.writer.nil();
  }
  void save(wire::Buffer& out) const override {
    Encoder to{wire::Writer(out), nullptr};
    if constexpr (HasSave<T>) Codec<std::remove_cvref_t<decltype(object.save())>>::encode(to, object.save());
    else to.writer.nil();
  }
  void load([[maybe_unused]] wire::Bytes saved,
            [[maybe_unused]] const std::shared_ptr<References>& references) override {
    if constexpr (HasSave<T>) {
      using Saved = std::remove_cvref_t<decltype(object.save())>;
      object.load(decode_held(saved, references, [](Decoder& from) { return Codec<Saved>::decode(from); }));
    }
  }

  T object{};
};

constexpr bool is_type_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= 64;
  for (const char c : name)
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '.');
  return good;
}

template <class T, class List>
struct Handlers;
template <class T, class... O>
struct Handlers<T, ops::OpList<O...>> {
  static constexpr auto make() {
    std::array<Handler, ops::OpList<O...>::number_max() + 1> handlers{};
    ((handlers[O::description.number] = handler_of<T, O>()), ...);
    return handlers;
  }
  static constexpr auto table = make();
};

template <class T>
struct TypeOf {
  using Ops = typename T::Ops;
  using Create = typename Ops::Create;
  static_assert(std::is_default_constructible_v<T>,
                "a hosted class is default-constructible: its Create fills it");
  static_assert(Ops::number >= type_number_min, "type numbers below 128 are tandem's own");
  static_assert(shown_by<T>() == Shown::nothing || shown_by<T>() == Shown::value || HasSize<T>,
                "a class that shows elements has a size()");
  static_assert(!HasSave<T> || HasLoad<T>, "a class with a save() has a load() that takes what it returns");
  static_assert(is_type_name(Ops::type), "a type's name is made of letters, digits, '_' and '.'");
  static_assert(Create::description.number == 0 && Create::description.effect == ops::Effect::writes &&
                    std::is_void_v<typename Create::Result> &&
                    Handlers<T, typename Ops::All>::table[0].op != nullptr,
                "operation 0 is Create, in the list with the others; it writes and returns nothing");

  static constexpr Type type{Ops::type,
                             Ops::number,
                             shown_by<T>(),
                             Handlers<T, typename Ops::All>::table,
                             []() -> std::unique_ptr<Instance> { return std::make_unique<InstanceOf<T>>(); },
                             HasSave<T>};
};

}  // namespace hosting

/// Returns the description of hosted class T, for ServerOptions::types. Mistakes in T that can be detected at
/// compile time do not compile.
template <class T>
constexpr HostedType hosted() {
  return HostedType(hosting::TypeOf<T>::type);
}

}  // namespace tandem
