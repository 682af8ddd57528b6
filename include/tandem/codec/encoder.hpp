#pragma once
// Encoder and Decoder: where values are written and read, with what a value may need besides its bytes, such
// as the session of its references. Users meet them in specialisations of tandem::Codec (codec.hpp).

#include <memory>
#include <vector>

#include "tandem/wire/msgpack.hpp"

namespace tandem::hosting {
struct ReferenceHolder;  // hosted/type.hpp
}

namespace tandem::ops {
struct OpDescription;  // ops/op.hpp
}

namespace tandem::client {

class Session;        // client/session/session.hpp: this process's session with one manager
class SpawnSender;    // client/session/handover.hpp: what a spawned process receives besides values
class SpawnReceiver;  // client/session/handover.hpp: the same, in that process
class RemoteObject;   // call/remote_object.hpp: a reference that this process holds

using SessionPtr = std::shared_ptr<Session>;

/// A long text or long bytes, which follow what is in a buffer up to `at`.
struct LongArgument {
  std::size_t at;
  wire::Bytes bytes;
};

/// The destination of values. Knows the session, since a proxy can only be stored in its own manager.
struct Encoder {
  wire::Writer writer;
  Session* session = nullptr;  // null: no proxies can be encoded
  // Not null: arguments of a process, which may contain proxies of any manager.
  SpawnSender* spawn_sender = nullptr;
  // Receives the objects of the proxies, unless null.
  std::vector<std::shared_ptr<const RemoteObject>>* kept = nullptr;
  // Receives long arguments, which are then not written, unless null.
  std::vector<LongArgument>* long_arguments = nullptr;
};

/// The source of values, which does not outlive the session. The manager counted every reference in a reply for this process;
/// decoding it into a proxy takes it over.
struct Decoder {
  wire::Reader reader;
  Session* session = nullptr;                  // null: no proxies can be decoded
  SpawnReceiver* spawn_receiver = nullptr;     // not null: arguments of this process
  hosting::ReferenceHolder* holder = nullptr;  // in a manager's own handlers: for values that hold references
  // The call whose result is read, for error texts, unless null.
  const RemoteObject* object = nullptr;
  const ops::OpDescription* op = nullptr;
};

/// Writes one argument of a process to be spawned, preceded by the manager of its proxies.
void encode_with_manager(Encoder& to, Encoder& argument, wire::Bytes value);
/// Reads the manager of the next argument's proxies.
void decode_manager(Decoder& from);

}  // namespace tandem::client
