#include "tests/support/contract.hpp"

#include <unistd.h>

#include <atomic>
#include <string>

#include "tandem/server.hpp"
#include "tests/support/engine_connector.hpp"
#include "tests/support/eventually.hpp"

namespace tandem::test {
namespace {

class DirectHost final : public Host {
 public:
  DirectHost(const Limits& limits, const std::vector<HostedType>& types)
      : engine_(std::make_shared<EngineHost>(filled(limits), types)) {}
  Manager connect() override { return Manager(std::make_unique<EngineConnector>(engine_), Options{}); }
  const EngineHost* engine() const override { return engine_.get(); }

 private:
  static Limits filled(Limits limits) {
    if (limits.memory_bytes_max == 0) limits.memory_bytes_max = std::uint64_t{1} << 30;
    return limits;
  }
  std::shared_ptr<EngineHost> engine_;
};

class ServerHost final : public Host {
 public:
  ServerHost(const Limits& limits, const std::vector<HostedType>& types, const std::string& address,
             const std::string& authkey, bool ring = false)
      : authkey_(authkey), server_(options(limits, types, address, authkey, ring)) {
    server_.start();
  }
  Manager connect() override {
    if (server_.addresses().empty()) return server_.connect();
    return Manager(server_.addresses().front(), {.authkey = authkey_});
  }

 private:
  static ServerOptions options(const Limits& limits, const std::vector<HostedType>& types,
                               const std::string& address, const std::string& authkey, bool ring) {
    ServerOptions options;
    options.ring = ring;
    if (!address.empty()) options.listen = {address};
    options.authkey = authkey;
    options.limits = limits;
    options.types = types;
    return options;
  }

  std::string authkey_;
  Server server_;
};

/// A new one each time; free as long as nobody else uses our pid.
std::string unix_address() {
  static std::atomic<int> count{0};
  return "unix:@tandem-contract-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

std::string join(const std::set<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += name + " ";
  return joined;
}

}  // namespace

std::unique_ptr<Host> make_host(Reach reach, const Limits& limits, const std::vector<HostedType>& types) {
  switch (reach) {
    case Reach::engine: return std::make_unique<DirectHost>(limits, types);
    case Reach::in_process: return std::make_unique<ServerHost>(limits, types, "", "");
    case Reach::ring: return std::make_unique<ServerHost>(limits, types, unix_address(), "", true);
    case Reach::unix_socket: return std::make_unique<ServerHost>(limits, types, unix_address(), "");
    case Reach::tcp:
      return std::make_unique<ServerHost>(limits, types, "tcp://127.0.0.1:0", "a key for this test");
  }
  return nullptr;
}

void ContractTest::SetUp() {
  host_ = make_host(GetParam(), limits(), types());
  manager_.emplace(host_->connect());
}

void ContractTest::TearDown() {
  for (const ObjectInfo& object : manager().objects())
    if (!object.name.empty()) manager().remove(object.name);
  // Sessions that the test has ended may still be under way to their end in the manager.
  try {
    eventually([&] { return manager().objects().empty(); }, "nothing to be left behind by the test");
  } catch (const std::runtime_error&) {
    for (const ObjectInfo& object : manager().objects())
      ADD_FAILURE() << "left behind: " << object.type << " " << object.id << " with " << object.references
                    << " references";
  }
  if (host_->engine() != nullptr) RecordProperty(operations_called, join(host_->engine()->called()));
}

void ContractTest::wait_for_waiters(std::uint64_t count) const {
  eventually([&] { return manager().information().at("waiters") == count; },
             std::to_string(count) + " waiting requests");
}

std::uint64_t ContractTest::references(std::uint64_t id) const {
  for (const ObjectInfo& object : manager().objects())
    if (object.id == id) return object.references;
  return 0;
}

bool ContractTest::is_there(std::uint64_t id) const {
  for (const ObjectInfo& object : manager().objects())
    if (object.id == id) return true;
  return false;
}

}  // namespace tandem::test
