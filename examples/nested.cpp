// Shared objects inside shared objects: a dict of lists. The dict stores references, so every holder of a
// list sees every change, and a list lives as long as anything refers to it.
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  tandem::Manager manager;
  auto groups = manager.dict<std::string, tandem::List<int>>();
  groups["even"] = manager.list<int>();
  groups["odd"] = manager.list<int>();

  std::vector<tandem::Process> workers;
  for (int n = 0; n < 6; ++n)
    workers.emplace_back([=] { groups.at(n % 2 == 0 ? "even" : "odd").push_back(n); });
  for (auto& worker : workers) worker.join();

  for (auto [name, group] : groups) {
    group.sort();
    std::cout << name << ": " << group << '\n';
  }
  auto even = groups.at("even");
  groups.clear();  // destroys the list of odd numbers; `even` keeps the other one alive
  std::cout << "still here: " << even << '\n';
}
