// References in values: those in arguments, and those in replies, which the manager has counted for us.

#include "client/common/fenced_reference.hpp"
#include "client/session/handover.hpp"
#include "client/session/session.hpp"
#include "tandem/call/remote_object.hpp"
#include "tandem/codec.hpp"
#include "tandem/codec/argument.hpp"
#include "tandem/text.hpp"
#include "tandem/wire/frame.hpp"

namespace tandem::client {

void release_encoded_references(Session& session, wire::Bytes values) noexcept {
  wire::Reader reader(values);
  while (!reader.at_end()) {
    std::uint32_t count = 0;
    std::int8_t type = 0;
    wire::Bytes body;
    wire::Reference reference;
    std::uint64_t token = 0;
    switch (reader.peek()) {
      case wire::Kind::array:
        if (!reader.array(count)) return;
        break;
      case wire::Kind::map:
        if (!reader.map(count)) return;
        break;
      case wire::Kind::extension:
        if (read_reference(reader, reference, token)) {
          const RemoteObject taken_over(session.shared_from_this(), reference, true);
          break;
        }
        if (!reader.extension(type, body)) return;
        if (type == static_cast<std::int8_t>(wire::Extension::tuple) ||
            type == static_cast<std::int8_t>(wire::Extension::set))
          reader = wire::Reader({body.data(), body.size() + reader.rest().size()});  // continue inside
        break;
      default:
        if (!reader.skip()) return;
    }
  }
}

bool belongs_to(const RemoteObject& object, const Session* session) {
  return same_manager(object.session().get(), session);
}

void encode_reference(Encoder& to, const RemoteObject* object) {
  if (object == nullptr) throw ValueError("an empty proxy cannot be stored");
  if (to.spawn_sender != nullptr) to.spawn_sender->note_reference(*object, to.session);
  if (to.session == nullptr)
    throw ValueError("a proxy can only be stored in its own manager, or be an argument of a process");
  if (!belongs_to(*object, to.session))
    throw ValueError("a proxy can only be stored in its own manager, and this one's " +
                     std::string(hosted_type_name(object->reference().type)) + " lives in another");
  if (to.kept != nullptr) to.kept->push_back(object->holder());
  // A manager stores only the object. A spawned process also gets the token, as a forked one has it.
  if (to.spawn_sender == nullptr || object->token() == 0) return to.writer.reference(object->reference());
  wire::Buffer body;
  wire::Writer(body).reference(object->reference());
  wire::store_little(body.extend(wire::token_bytes), object->token());
  to.writer.extension(fenced_reference, body.view());
}

std::shared_ptr<RemoteObject> decode_reference(Decoder& from) {
  if (from.session == nullptr)
    throw TypeError("a proxy is for clients of a manager; handlers take HeldValue");
  wire::Reference reference;
  std::uint64_t token = 0;
  if (!read_reference(from.reader, reference, token)) throw_mismatch(from.reader, "a reference");
  auto object = std::make_shared<RemoteObject>(from.session->shared_from_this(), reference, true);
  return token == 0 ? object : std::make_shared<RemoteObject>(object, token);
}

TakenValue::TakenValue(Decoder& from) : session_(from.session) {
  if (!from.reader.value(bytes_)) throw ProtocolError("a result is not well-formed MessagePack");
}

EncodedValue::EncodedValue(const AnyValue& value, const RemoteObject* object) {
  wire::Buffer buffer;
  Encoder to{wire::Writer(buffer), object == nullptr ? nullptr : object->session().get()};
  value.encode(to);
  bytes = wire::as_text(buffer.view());
}

}  // namespace tandem::client
