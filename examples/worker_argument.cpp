// A worker with an argument.
#include <iostream>
#include <string>
#include <tandem/process.hpp>

void greet(const std::string& name) {
  std::cout << "Hello, " << name << "!" << std::endl;
}

int main() {
  tandem::Process worker(greet, "Alice");
  worker.join();
}
