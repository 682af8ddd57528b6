#pragma once
// Where values are written to and read from, with what a value may need besides its bytes: the session that its
// references belong to. Users meet these two in specialisations of tandem::Codec (codec.hpp).

#include <memory>
#include <vector>

#include "tandem/wire/msgpack.hpp"

namespace tandem::hosting {
struct ReferenceHolder;  // hosted/type.hpp
}

namespace tandem::client {

class Session;        // client/session/session.hpp: this process's session with one manager
class SpawnSender;    // client/session/handover.hpp: what a process about to be spawned gets besides values
class SpawnReceiver;  // client/session/handover.hpp: the same as that process finds it
class RemoteObject;   // call/remote_object.hpp: a reference that this process holds

using SessionPtr = std::shared_ptr<Session>;

/// Where values are written to. Knows the connection, since a proxy can only be stored in its own manager.
struct Encoder {
  wire::Writer writer;
  Session* connection = nullptr;  // null: no proxies can be encoded
  SpawnSender* spawn_sender =
      nullptr;  // not null: arguments of a process, which may hold proxies of any manager
  std::vector<std::shared_ptr<const RemoteObject>>* kept =
      nullptr;  // gets the proxies' objects, if there is one
};

/// Where values are read from. Every reference in a reply was counted for us by the manager, and is taken over when
/// it is decoded into a proxy.
struct Decoder {
  wire::Reader reader;
  SessionPtr connection;                       // null: no proxies can be decoded
  SpawnReceiver* spawn_receiver = nullptr;     // not null: arguments of this process
  hosting::ReferenceHolder* holder = nullptr;  // in a manager's own handlers: for values that hold references
};

/// Writes one argument of a process about to be spawned, which manager its proxies live in before it.
void encode_with_manager(Encoder& to, Encoder& argument, wire::Bytes value);
/// Reads which manager the next argument's proxies live in.
void decode_manager(Decoder& from);

}  // namespace tandem::client
