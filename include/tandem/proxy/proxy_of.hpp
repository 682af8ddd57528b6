#pragma once
// ProxyOf<Ops>: the base of proxies of your own hosted types (tandem/hosted.hpp), whose operations Ops
// declares. What proxy.hpp says of all proxies holds for these too, and they can be watched as containers are
// (container.hpp); an operation that writes or frees counts as a change even if its handler threw. Each
// method is one line:
//
//   struct CounterProxy : tandem::ProxyOf<CounterOps> {
//     using ProxyOf::ProxyOf;
//     int next() { return call<CounterOps::Next, int>(); }
//   };
//   auto tickets = manager.create<CounterProxy>("tickets");

#include "tandem/call/result_as.hpp"
#include "tandem/proxy/container.hpp"

namespace tandem {

template <class Ops>
class ProxyOf : public Container {
 public:
  using Operations = Ops;
  static constexpr std::uint8_t type_number = Operations::number;

  ProxyOf() = default;
  using Container::Container;

  /// Returns the type's name; empty for an empty proxy. No round trip.
  std::string_view type_name() const noexcept { return valid() ? Operations::type : std::string_view(); }

 protected:
  /// Calls the operation; arguments with a default may be left out. Returns its result as R: any type with a
  /// codec that the declared result can be read as, by default int64_t, bool, std::string, Bytes or JSON.
  template <class Op, class R = typename client::PlainResult<typename Op::Result>::Type, class... A>
  R call(const A&... arguments) const {
    static_assert(client::is_listed<Op, typename Operations::All>, "another type's operation");
    if (!valid()) throw ValueError("an empty proxy has no object to call");
    client::Call call(*remote(), Op::description, sizeof...(A), Operations::type);
    client::encode_arguments<Op>(call.arguments(), arguments...);
    return client::result_of<typename Op::Result, R>(call, [&]() -> Decoder& { return call.send(); });
  }
};

}  // namespace tandem
