// outside TANDEMD: shares a dict through a private manager, which must be the installed TANDEMD, and through
// a manager inside this process. Prints what it shared; ends with 1 if that is not what it should be.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <tandem/server.hpp>
#include <tandem/tandem.hpp>

namespace {

/// The program that this process's one child runs.
std::filesystem::path program_of_child() {
  std::string self = std::to_string(getpid());
  std::ifstream children("/proc/" + self + "/task/" + self + "/children");
  std::string child;
  children >> child;
  return std::filesystem::read_symlink("/proc/" + child + "/exe");
}

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

  tandem::Server server({.listen = {"unix:@tandem-outside-" + std::to_string(getpid())}});
  server.start();
  tandem::Manager attached(server.addresses().front());
  good = share(attached, "embedded manager") && good;
  return good ? 0 : 1;
}
