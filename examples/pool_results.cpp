// A pool whose results are kept and read when all tasks are done.
#include <iostream>
#include <string>
#include <tandem/pool.hpp>
#include <vector>

std::string work(const std::string& text) {
  return "done " + text;
}

int main() {
  tandem::Pool pool(4);
  std::vector<tandem::AsyncResult<std::string>> results;
  for (int n = 0; n < 10; ++n) results.push_back(pool.apply_async(work, "hello " + std::to_string(n)));
  pool.close();
  pool.join();
  for (auto& result : results) std::cout << result.get() << '\n';
}
