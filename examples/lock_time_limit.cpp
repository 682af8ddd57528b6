// A lock with a time limit: a worker that cannot get the lock in time gives up and reports it.
#include <chrono>
#include <iostream>
#include <mutex>
#include <tandem/tandem.hpp>

using namespace std::chrono_literals;

int main() {
  tandem::Manager manager;
  auto lock = manager.lock();

  std::unique_lock held(lock);
  tandem::Process([=] {
    std::unique_lock mine(lock, 100ms);
    if (!mine) std::cout << "the worker gives up after 100 ms" << std::endl;
  }).join();
  held.unlock();
  tandem::Process([=] {
    std::unique_lock mine(lock, 100ms);
    if (mine) std::cout << "the next worker has the lock" << std::endl;
  }).join();
}
