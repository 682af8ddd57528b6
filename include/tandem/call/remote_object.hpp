#pragma once
// A reference that this process holds to a hosted object. Not for users, who see proxies.

#include <cstdint>
#include <memory>

#include "tandem/codec/encoder.hpp"

namespace tandem::client {

// client/calls/call_sink.hpp: receives the calls of proxies bound to a batch, transaction or pipeline.
class CallSink;

/// One reference that this process holds to a hosted object; copies of a proxy share it. The destructor of
/// the last copy releases the reference in the manager, without waiting for a reply and without throwing.
class RemoteObject : public std::enable_shared_from_this<RemoteObject> {
 public:
  /// `counted`: the manager counted this reference for this process (it arrived in a reply), so it must be
  /// released.
  RemoteObject(SessionPtr session, wire::Reference reference, bool counted);
  /// The same object and the same reference, but every call carries the fencing token.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::uint64_t token);
  /// The same object and the same reference, but every call goes to the sink.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::shared_ptr<CallSink> sink);
  ~RemoteObject();
  RemoteObject(const RemoteObject&) = delete;
  RemoteObject& operator=(const RemoteObject&) = delete;

  const SessionPtr& session() const { return session_; }
  wire::Reference reference() const { return reference_; }
  /// The fencing token; 0 if there is none.
  std::uint64_t token() const { return token_; }
  /// Null if there is none.
  const std::shared_ptr<CallSink>& sink() const { return sink_; }
  /// Returns the object that owns the reference; holding it keeps the reference.
  std::shared_ptr<const RemoteObject> holder() const { return origin_ ? origin_ : weak_from_this().lock(); }

 private:
  SessionPtr session_;
  wire::Reference reference_;
  bool counted_;
  std::uint64_t token_ = 0;
  std::shared_ptr<CallSink> sink_;
  std::shared_ptr<const RemoteObject> origin_;  // owner of the reference, if not this object
};

}  // namespace tandem::client
