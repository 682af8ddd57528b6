#include "tandem/proxy/container.hpp"

namespace tandem {
namespace {

struct ObjectArgument : client::Argument {
  explicit ObjectArgument(const client::RemoteObject& from) : object(from) {}
  const client::RemoteObject& object;
  void encode(Encoder& to) const { client::encode_reference(to, &object); }
};

const client::RemoteObject& object_of(const Proxy& proxy) {
  if (!proxy.valid()) throw ValueError("an empty proxy has no object to call");
  return *proxy.remote();
}

/// Returns the manager object, which answers version queries for any type; bound to the object's sink, if
/// any.
client::RemoteObject manager_of(const client::RemoteObject& object) {
  const wire::Reference reference{ops::Manager::number, ops::Manager::id};
  if (!object.sink()) return {object.session(), reference, false};
  return {std::make_shared<client::RemoteObject>(object.session(), reference, false), object.sink()};
}

}  // namespace

std::uint64_t Container::version() const {
  using Version = ops::Manager::Version;
  const client::RemoteObject& object = object_of(*this);
  const client::RemoteObject manager = manager_of(object);
  client::Call call(manager, Version::description, 1);
  client::encode_arguments<Version>(call.arguments(), ObjectArgument(object));
  return client::decode_result<Version::Result, std::uint64_t>(call.send());
}

std::uint64_t Container::wait_for_change(std::uint64_t since) const {
  return *wait_within(since, client::no_limit, {});
}

std::optional<std::uint64_t> Container::wait_within(std::uint64_t since, client::WaitLimit limit,
                                                    const std::stop_token& stop) const {
  using Wait = ops::Manager::WaitForChange;
  const client::RemoteObject& object = object_of(*this);
  const client::RemoteObject manager = manager_of(object);
  std::optional<std::int64_t> limit_us;
  if (limit) limit_us = limit->count();
  client::Call call(manager, Wait::description, 3);
  client::encode_arguments<Wait>(call.arguments(), ObjectArgument(object), static_cast<std::int64_t>(since),
                                 limit_us);
  const auto version = client::decode_result<Wait::Result, std::uint64_t>(call.wait(limit, stop));
  if (version == since) return std::nullopt;
  return version;
}

}  // namespace tandem
