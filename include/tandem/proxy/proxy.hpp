#pragma once
// Proxy: the base of all proxies.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/call/call.hpp"
#include "tandem/call/long_result.hpp"
#include "tandem/codec/container.hpp"
#include "tandem/codec/parameter.hpp"
#include "tandem/codec/result.hpp"
#include "tandem/codec/time.hpp"
#include "tandem/text.hpp"

namespace tandem {

/// A handle of an object that lives in a manager. Copies are cheap and refer to the same object. A proxy
/// keeps an unnamed object alive; the object is destroyed with its last proxy, unless a container in the
/// manager refers to it.
///
/// A default-constructed or moved-from proxy is empty: valid() is false, and operations throw ValueError.
///
/// Every operation is one round trip and atomic, unless its comment says otherwise. Besides what its comment
/// says, it may throw ObjectGone (the object was removed), ConnectionError (the manager has ended or cannot
/// be reached), Timeout (Options::call_timeout), ResourceExhausted (a limit of the manager), TypeError (a
/// value found does not fit the requested C++ type; the operation's changes remain).
///
/// Threads may use one proxy at once, as long as none assigns to the proxy itself (`p = q`). After fork() the
/// child may continue to use the proxies it inherited. A signal handler must not use, copy or destroy any: it may
/// interrupt a call that holds the library's locks. Have it set a flag that a thread looks at, or use signalfd.
class Proxy {
 public:
  Proxy() = default;
  explicit Proxy(std::shared_ptr<client::RemoteObject> object) : object_(std::move(object)) {}

  bool valid() const noexcept { return object_ != nullptr; }
  /// Returns the object's id in its manager, never reused; 0 for an empty proxy. No round trip.
  std::uint64_t id() const noexcept { return object_ ? object_->reference().id : 0; }
  /// Returns "dict", "list", …; empty for an empty proxy. No round trip.
  std::string_view type_name() const noexcept {
    return object_ ? hosted_type_name(object_->reference().type) : std::string_view();
  }

  /// Proxies are equal if they refer to the same object (Python's `is`). Use snapshot() to compare contents.
  friend bool operator==(const Proxy& a, const Proxy& b) noexcept {
    if (a.id() != b.id()) return false;
    return !a.valid() || client::belongs_to(*a.object_, b.object_->session().get());
  }

  /// For internal use.
  const std::shared_ptr<client::RemoteObject>& remote() const noexcept { return object_; }

 protected:
  /// Calls the operation; arguments with a default may be left out. Returns its result as R.
  template <class Op, class R = void, class... A>
  R call(const A&... arguments) const {
    if (object_ == nullptr) throw ValueError("an empty proxy has no object to call");
    client::Call call(*object_, Op::description, sizeof...(A));
    client::encode_arguments<Op>(call.arguments(), arguments...);
    return client::result_of<typename Op::Result, R>(
        call, [&]() -> Decoder& { return call.send(!std::is_void_v<R>); });
  }
  /// The same for an operation that waits in the manager (client::Call::wait). `limit` is its last argument.
  template <class Op, class R, class... A>
  R call_and_wait(std::optional<std::chrono::microseconds> limit, const std::stop_token& stop,
                  const A&... arguments) const {
    static_assert(Op::description.effect == ops::Effect::waits);
    if (object_ == nullptr) throw ValueError("an empty proxy has no object to call");
    std::optional<std::int64_t> limit_us;
    if (limit) limit_us = limit->count() < 0 ? 0 : limit->count();
    client::Call call(*object_, Op::description, sizeof...(A) + 1);
    client::encode_arguments<Op>(call.arguments(), arguments..., limit_us);
    return client::result_of<typename Op::Result, R>(call,
                                                     [&]() -> Decoder& { return call.wait(limit, stop); });
  }

 private:
  std::shared_ptr<client::RemoteObject> object_;
};

/// A proxy is written as a reference, into its own manager only (ValueError), and read from a reference to an
/// object of its type (TypeError). The reference that was read keeps the object alive.
template <class P>
requires std::derived_from<P, Proxy> && client::is_proxy<P>
struct Codec<P> {
  static void encode(Encoder& to, const P& proxy) { client::encode_reference(to, proxy.remote().get()); }
  static P decode(Decoder& from) {
    if (client::reference_type(from.reader) != P::type_number) client::throw_mismatch(from.reader, name());
    P proxy(client::ResultOf<ops::Reference, std::shared_ptr<client::RemoteObject>>::decode(from));
    // A reference does not contain the element type of an array.
    if constexpr (requires { proxy.check_type(); }) proxy.check_type();
    return proxy;
  }
  static std::string name() { return std::string(P::Operations::type); }
};

}  // namespace tandem

template <>
struct std::hash<tandem::Proxy> {
  std::size_t operator()(const tandem::Proxy& proxy) const noexcept {
    return std::hash<std::uint64_t>()(proxy.id());
  }
};
