// A lock released in every case: the first worker throws while it holds it, and the second still gets it.
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <tandem/tandem.hpp>

int main() {
  tandem::Manager manager;
  auto lock = manager.lock();
  auto log = manager.list<std::string>();

  tandem::Process first([=] {
    try {
      std::lock_guard held(lock);  // released at the end of the scope, however it ends
      log.push_back("the first worker has the lock");
      throw std::runtime_error("something went wrong");
    } catch (const std::runtime_error& error) {
      log.push_back("the first worker failed: " + std::string(error.what()));
    }
  });
  first.join();

  tandem::Process second([=] {
    auto held = lock.guard();
    log.push_back("the second worker has the lock");
    if (held.previous_owner_died()) log.push_back("which nobody released");
  });
  second.join();
  for (const auto& line : log) std::cout << line << '\n';
}
