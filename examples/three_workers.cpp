// Three workers, started together and joined: they take the time of one worker, not of three.
#include <chrono>
#include <iostream>
#include <tandem/tandem.hpp>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
  tandem::Manager manager;
  auto at_work = manager.value<int>(0);
  auto begin = std::chrono::steady_clock::now();

  std::vector<tandem::Process> workers;
  for (int n = 1; n <= 3; ++n)
    workers.emplace_back([=] {
      at_work += 1;
      while (at_work.load() < 3) std::this_thread::sleep_for(1ms);  // none begins before all have started
      std::this_thread::sleep_for(200ms);                           // the work
      std::cout << "worker " + std::to_string(n) + " is done\n" << std::flush;
    });
  for (auto& worker : workers) worker.join();

  auto taken = std::chrono::steady_clock::now() - begin;
  std::cout << "three workers of 200 ms took " << taken / 1ms << " ms together\n";
}
