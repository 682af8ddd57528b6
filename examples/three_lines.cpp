// One process that prints three times.
#include <iostream>
#include <tandem/process.hpp>

int main() {
  tandem::Process worker([] {
    for (int n = 1; n <= 3; ++n) std::cout << "line " << n << std::endl;
  });
  worker.join();
  std::cout << "all lines printed" << std::endl;
}
