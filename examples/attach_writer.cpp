// First of two separate programs that share a dict by its name. Start a manager, set its address, run both:
//
//   tandemd --listen unix:/tmp/tandem.sock &
//   export TANDEM_ADDRESS=unix:/tmp/tandem.sock
//   example_attach_writer && example_attach_reader
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  auto manager = tandem::Manager::from_environment();
  auto temperatures = manager.dict<std::string, double>("temperatures");  // get, or create
  temperatures["Oslo"] = -3.5;
  temperatures["Lima"] = 19;
  std::cout << "wrote " << temperatures.size() << " temperatures\n";
}
