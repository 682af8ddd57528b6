// A pool with one worker per processor. No task is waited for on its own; join() waits for all of them.
#include <iostream>
#include <tandem/pool.hpp>

void work(int number) {
  std::cout << "task " + std::to_string(number) + "\n" << std::flush;
}

int main() {
  tandem::Pool pool;
  for (int n = 0; n < 40; ++n) pool.apply_async(work, n);
  pool.close();
  pool.join();
  std::cout << "all is done, by " << pool.workers() << " workers\n";
}
