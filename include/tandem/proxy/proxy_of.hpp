#pragma once
// ProxyOf<Ops>: the base of proxies of hosted types of your own (tandem/hosted.hpp), whose operations Ops declares. One
// line makes one method; what is said of all proxies (proxy.hpp) holds for these too, and they can be watched as
// containers are (container.hpp). An operation that writes or frees is a change, also when its handler threw:
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

  /// Empty when empty. No round trip.
  std::string_view type_name() const noexcept { return valid() ? Operations::type : std::string_view(); }

 protected:
  /// Calls the operation with the arguments that have no default, or more; gives its result as R: any type with a codec
  /// that the declared result can be read as, by default int64_t, bool, std::string, Bytes or JSON.
  template <class Op, class R = typename client::PlainResult<typename Op::Result>::Type, class... A>
  R call(const A&... arguments) const {
    static_assert(client::is_listed<Op, typename Operations::All>, "another type's operation");
    if (!valid()) throw ValueError("an empty proxy has no object to call");
    client::Call call(*remote(), Op::description, sizeof...(A), Operations::type);
    client::encode_arguments<Op>(call.arguments(), arguments...);
    return client::decode_result<typename Op::Result, R>(call.send());
  }
};

}  // namespace tandem
