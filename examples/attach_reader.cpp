// Second of two separate programs that share a dict by its name; see attach_writer.cpp.
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  auto manager = tandem::Manager::from_environment();
  auto temperatures = manager.dict<std::string, double>("temperatures");
  for (const auto& [city, degrees] : temperatures) std::cout << city << ": " << degrees << " °C\n";
  manager.remove("temperatures");  // a named object lives until it is removed
}
