// Ten worker processes share a dict and a list.
#include <iostream>
#include <tandem/tandem.hpp>
#include <vector>

int main() {
  tandem::Manager manager;        // a private manager process; ends with this scope
  auto results = manager.dict();  // keys and values of any type
  auto numbers = manager.list<int>({0, 1, 2, 3, 4});

  std::vector<tandem::Process> workers;
  for (int n = 0; n < 10; ++n)
    workers.emplace_back([=] {  // proxies are copied into workers like any handle
      results[n] = "1";
      results["2"] = 2;
      results[0.25] = nullptr;
      numbers.push_back(n);
    });
  for (auto& worker : workers) worker.join();

  std::cout << results << '\n' << numbers << '\n';
  std::cout << results.size() << " entries, " << numbers.size() << " items\n";
}
