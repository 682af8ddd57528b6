#pragma once
// A reference that this process holds to a hosted object. Not for users: proxies are what they see.

#include <cstdint>
#include <memory>

#include "tandem/codec/encoder.hpp"

namespace tandem::client {

class
    CallSink;  // client/calls/call_sink.hpp: where the calls of proxies go that are bound to a batch or a transaction

/// One reference that this process holds to a hosted object; copies of a proxy share it. When the last copy goes,
/// the reference is given back to the manager (at once, without waiting for an answer, never throwing).
class RemoteObject : public std::enable_shared_from_this<RemoteObject> {
 public:
  /// `counted`: the manager counted this reference for us (it came in a reply), so it is to be given back.
  RemoteObject(SessionPtr connection, wire::Reference reference, bool counted);
  /// The same object and the same reference, but every call carries the fencing token.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::uint64_t token);
  /// The same object and the same reference, but every call goes to the script.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::shared_ptr<CallSink> sink);
  ~RemoteObject();
  RemoteObject(const RemoteObject&) = delete;
  RemoteObject& operator=(const RemoteObject&) = delete;

  const SessionPtr& connection() const { return connection_; }
  wire::Reference reference() const { return reference_; }
  /// 0: none.
  std::uint64_t token() const { return token_; }
  /// Null: none.
  const std::shared_ptr<CallSink>& sink() const { return sink_; }
  /// Whoever holds it keeps the reference.
  std::shared_ptr<const RemoteObject> holder() const { return origin_ ? origin_ : weak_from_this().lock(); }

 private:
  SessionPtr connection_;
  wire::Reference reference_;
  bool counted_;
  std::uint64_t token_ = 0;
  std::shared_ptr<CallSink> sink_;
  std::shared_ptr<const RemoteObject> origin_;  // whose reference this is, if not its own
};

}  // namespace tandem::client
