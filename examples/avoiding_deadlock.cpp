// Two workers take two locks in opposite order. The wait that would close the cycle is refused; the refused
// worker backs off and tries again, and both finish.
#include <iostream>
#include <mutex>
#include <tandem/tandem.hpp>

int main() {
  tandem::Manager manager;
  tandem::Lock left = manager.lock("left"), right = manager.lock("right");
  tandem::Event both_hold_one = manager.event();
  auto holders = manager.value<int>(0);

  auto worker = [=](std::string name, tandem::Lock first, tandem::Lock second) {
    while (true) {
      try {
        std::lock_guard one(first);
        if (holders.fetch_add(1) == 1) both_hold_one.set();
        both_hold_one.wait();
        std::lock_guard other(second);
        std::cout << name + " has both locks\n" << std::flush;
        return;
      } catch (const tandem::DeadlockError& error) {
        std::cout << name + " backs off: " + error.what() + "\n" << std::flush;
      }
    }
  };
  tandem::Process a(worker, "A", left, right);
  tandem::Process b(worker, "B", right, left);
  a.join();
  b.join();
  std::cout << "both are done\n";
}
