// outside TANDEMD: shares a dict through a private manager, which must be the installed TANDEMD, and through
// a manager inside this process, which also hosts a type of the program's own and is asked asynchronously. Prints what
// it shared; ends with 1 if that is not what it should be.

#ifndef ASIO_HAS_STD_ALIGNED_ALLOC
#error "the package does not say how Asio allocates"
#endif
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/use_future.hpp>
#include <filesystem>
#include <iostream>
#include <string>
#include <tandem/async.hpp>
#include <tandem/hosted.hpp>
#include <tandem/server.hpp>
#include <tandem/tandem.hpp>

#include "child_program.hpp"

namespace {

struct GreeterOps {
  static constexpr std::string_view type = "greeter";
  static constexpr std::uint8_t number = 128;
  using Create = tandem::ops::Op<0, "create()", tandem::ops::Effect::writes, void()>;
  using Greet =
      tandem::ops::Op<1, "greet(name)", tandem::ops::Effect::reads, tandem::ops::Text(tandem::ops::Text)>;
  using All = tandem::ops::OpList<Create, Greet>;
};
class Greeter {
 public:
  using Ops = GreeterOps;
  void on(Ops::Create) {}
  std::string on(Ops::Greet, const std::string& name) const { return "Hello, " + name + "!"; }
};
struct GreeterProxy : tandem::ProxyOf<GreeterOps> {
  using ProxyOf::ProxyOf;
  std::string greet(const std::string& name) const { return call<GreeterOps::Greet>(name); }
};

/// The same few lines for every manager.
bool share(tandem::Manager& manager, const std::string& who) {
  auto hits = manager.dict<std::string, int>("hits");
  hits["home"] = 1;
  hits["home"] += 1;
  std::cout << who << ": " << hits << '\n';
  return hits.size() == 1 && hits.at("home") == 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: outside TANDEMD\n", 2;
  tandem::Manager manager;
  std::filesystem::path started = program_of_child();
  std::cout << "started " << started << '\n';
  bool good = share(manager, "private manager") && started == std::filesystem::canonical(argv[1]);

  tandem::Server server(
      {.listen = {"unix:@tandem-outside-" + std::to_string(getpid())}, .types = {tandem::hosted<Greeter>()}});
  server.start();
  tandem::Manager attached(server.addresses().front());
  good = share(attached, "embedded manager") && good;
  asio::io_context io;
  const tandem::Async async(attached, io.get_executor());
  auto home = async.call<tandem::ops::Dict::At, int>(attached.dict<std::string, int>("hits"), "home",
                                                     asio::use_future);
  io.run();
  good = home.get() == 2 && good;
  good = attached.create<GreeterProxy>().greet("Alice") == "Hello, Alice!" && good;
  return good ? 0 : 1;
}
