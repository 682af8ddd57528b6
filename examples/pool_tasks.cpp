// A pool of four workers for ten tasks, each of which prints its result three times.
#include <iostream>
#include <tandem/pool.hpp>

void work(int number) {
  std::string line = "the double of " + std::to_string(number) + " is " + std::to_string(2 * number) + "\n";
  for (int i = 0; i < 3; ++i) std::cout << line << std::flush;
}

int main() {
  tandem::Pool pool(4);
  for (int n = 0; n < 10; ++n) pool.apply_async(work, n);
  pool.close();
  pool.join();
  std::cout << "all tasks are done\n";
}
