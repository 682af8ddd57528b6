// Eight processes count in one dict. `+=` is one atomic operation in the manager, so no count is lost.
#include <iostream>
#include <tandem/tandem.hpp>
#include <vector>

int main() {
  tandem::Manager manager;
  auto hits = manager.dict<std::string, std::int64_t>();

  std::vector<tandem::Process> workers;
  for (int n = 0; n < 8; ++n)
    workers.emplace_back([=] {
      for (int i = 0; i < 1000; ++i) hits["home"] += 1;
    });
  for (auto& worker : workers) worker.join();

  std::cout << "8 processes counted 1000 times each: " << hits.at("home") << '\n';
}
