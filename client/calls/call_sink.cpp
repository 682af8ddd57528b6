#include "client/calls/call_sink.hpp"

#include "tandem/codec.hpp"
#include "tandem/text.hpp"

namespace tandem::client {

std::shared_ptr<RemoteObject> redirect(std::shared_ptr<RemoteObject> object, std::shared_ptr<CallSink> sink,
                                       std::string_view what) {
  if (object == nullptr) throw ValueError("an empty proxy cannot be part of a " + std::string(what));
  if (!belongs_to(*object, sink->session().get()))
    throw ValueError("a " + std::string(what) + " is made in one manager, and this proxy's " +
                     std::string(hosted_type_name(object->reference().type)) + " lives in another");
  return std::make_shared<RemoteObject>(std::move(object), std::move(sink));
}

std::string name_of_call(const RemoteObject& object, const ops::OpDescription& op) {
  const wire::Reference reference = object.reference();
  std::string type(hosted_type_name(reference.type));
  if (type.empty()) type = "type " + std::to_string(reference.type);  // one of the manager's program
  return type + "." + std::string(op.name) + " on object " + std::to_string(reference.id);
}

void throw_named(const Decoder& from, const TypeError& error) {
  if (from.object == nullptr || from.op == nullptr) throw error;
  throw TypeError(name_of_call(*from.object, *from.op) + ": " + error.what());
}

}  // namespace tandem::client
