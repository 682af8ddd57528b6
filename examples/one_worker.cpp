// One worker, started and joined.
#include <iostream>
#include <tandem/process.hpp>

int main() {
  tandem::Process worker([] { std::cout << "The worker is at work." << std::endl; });
  worker.join();
  std::cout << "The worker is done." << std::endl;
}
