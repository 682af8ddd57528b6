#pragma once
// The part that Batch, Pipeline and Transaction share: proxies whose operations go to a sink.

#include <memory>
#include <utility>

#include "tandem/codec/argument.hpp"

namespace tandem::client {

/// `redirect(object, sink)`, declared beside each kind of sink, returns the object with its calls redirected.
template <class Sink>
class Binding {
 public:
  /// Returns a proxy of the same object whose operations go into this batch, pipeline or transaction; other
  /// proxies of the object still act at once. ValueError: an empty proxy, or an object of another manager.
  template <class P>
  requires is_proxy<P> P operator()(const P& proxy) const { return P(redirect(proxy.remote(), sink_)); }

 protected:
  explicit Binding(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  std::shared_ptr<Sink> sink_;
};

}  // namespace tandem::client
