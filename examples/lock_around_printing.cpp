// A lock around printing: of ten processes, one at a time holds the lock and prints.
#include <chrono>
#include <iostream>
#include <mutex>
#include <tandem/tandem.hpp>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
  tandem::Manager manager;
  auto lock = manager.lock();
  auto inside = manager.value<int>(0);

  std::vector<tandem::Process> workers;
  for (int n = 0; n < 10; ++n)
    workers.emplace_back([=] {
      std::lock_guard held(lock);
      inside += 1;
      std::this_thread::sleep_for(20ms);
      std::cout << "worker " << n << " holds the lock, as one of " << inside.load() << std::endl;
      inside -= 1;
    });
  for (auto& worker : workers) worker.join();
}
