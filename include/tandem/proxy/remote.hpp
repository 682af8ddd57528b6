#pragma once
// What lies between a typed proxy and the client library: a reference held, and one call under way. Not for users:
// the proxies in this folder are what they see.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "tandem/ops/op.hpp"
#include "tandem/wire/msgpack.hpp"

namespace tandem::hosting {
struct ReferenceHolder;  // hosted/type.hpp
}

namespace tandem::client {

class Connection;  // client/connection.hpp: one process's session with one manager
class Channel;     // client/channel.hpp: one ordered, framed, two-way byte path
class Handover;    // client/handover.hpp: what a process about to be spawned gets besides values
class Takeover;    // client/handover.hpp: the same as that process finds it
class Script;  // client/script.hpp: where the calls of proxies go that are bound to a batch or a transaction

using ConnectionPtr = std::shared_ptr<Connection>;

/// One reference that this process holds to a hosted object; copies of a proxy share it. When the last copy goes,
/// the reference is given back to the manager (at once, without waiting for an answer, never throwing).
class RemoteObject : public std::enable_shared_from_this<RemoteObject> {
 public:
  /// `counted`: the manager counted this reference for us (it came in a reply), so it is to be given back.
  RemoteObject(ConnectionPtr connection, wire::Reference reference, bool counted);
  /// The same object and the same reference, but every call carries the fencing token.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::uint64_t token);
  /// The same object and the same reference, but every call goes to the script.
  RemoteObject(std::shared_ptr<const RemoteObject> origin, std::shared_ptr<Script> script);
  ~RemoteObject();
  RemoteObject(const RemoteObject&) = delete;
  RemoteObject& operator=(const RemoteObject&) = delete;

  const ConnectionPtr& connection() const { return connection_; }
  wire::Reference reference() const { return reference_; }
  /// 0: none.
  std::uint64_t token() const { return token_; }
  /// Null: none.
  const std::shared_ptr<Script>& script() const { return script_; }
  /// Whoever holds it keeps the reference.
  std::shared_ptr<const RemoteObject> holder() const { return origin_ ? origin_ : weak_from_this().lock(); }

 private:
  ConnectionPtr connection_;
  wire::Reference reference_;
  bool counted_;
  std::uint64_t token_ = 0;
  std::shared_ptr<Script> script_;
  std::shared_ptr<const RemoteObject> origin_;  // whose reference this is, if not its own
};

/// Where values are written to. Knows the connection, since a proxy can only be stored in its own manager.
struct Encoder {
  wire::Writer writer;
  Connection* connection = nullptr;  // null: no proxies can be encoded
  Handover* handover = nullptr;  // not null: arguments of a process, which may hold proxies of any manager
  std::vector<std::shared_ptr<const RemoteObject>>* kept =
      nullptr;  // gets the proxies' objects, if there is one
};

/// Where values are read from. Every reference in a reply was counted for us by the manager, and is taken over when
/// it is decoded into a proxy.
struct Decoder {
  wire::Reader reader;
  ConnectionPtr connection;                    // null: no proxies can be decoded
  Takeover* takeover = nullptr;                // not null: arguments of this process
  hosting::ReferenceHolder* holder = nullptr;  // in a manager's own handlers: for values that hold references
};

/// One request and its reply. Holds a channel of this thread from construction to destruction, so that code run while
/// arguments are encoded or the result is decoded (a user's to_json, say) may make calls of its own.
class Call {
 public:
  /// Opens a channel where this thread has none. Throws ConnectionError. `type_name` is for error texts, and needed for
  /// types that the library does not know; it must outlive the call.
  Call(const RemoteObject& object, const ops::OpDescription& op, std::size_t argument_count,
       std::string_view type_name = {});
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Encoder& arguments() { return encoder_; }
  /// Sends the request, waits for the reply. Throws what the manager answered (KeyError, ObjectGone, …),
  /// ConnectionError when the manager is gone, Timeout after Options::call_timeout. The decoder stands before the
  /// result and is good until this Call goes.
  Decoder& send() { return send(true); }
  /// The same where nobody looks at the result, which then may be none, if `wanted` is false.
  Decoder& send(bool wanted);
  /// The same for an operation that waits in the manager, for at most `limit`, which has been sent along (none: for
  /// ever); call_timeout comes on top of it. When `stop` is requested, the manager ends the wait as if its limit had run
  /// out, unless it was served just before: so what was granted is never lost.
  Decoder& wait(std::optional<std::chrono::microseconds> limit, const std::stop_token& stop = {});

 private:
  struct Scripted;
  Decoder& exchange(std::chrono::milliseconds timeout, const std::stop_token& stop);

  const RemoteObject& object_;
  const ops::OpDescription& op_;
  std::string_view type_name_;
  std::unique_ptr<Scripted> scripted_;  // null: by a channel
  Channel* channel_;                    // null: by the object's script
  Encoder encoder_;
  Decoder decoder_;
};

}  // namespace tandem::client
