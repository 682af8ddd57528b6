// Five processes, each given its number.
#include <iostream>
#include <tandem/process.hpp>
#include <vector>

int main() {
  std::vector<tandem::Process> workers;
  for (int n = 0; n < 5; ++n)
    workers.emplace_back([](int number) { std::cout << "Hello from worker " << number << std::endl; }, n);
  for (auto& worker : workers) worker.join();
}
