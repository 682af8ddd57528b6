// map(): a function of many numbers, by four workers.
#include <iostream>
#include <ranges>
#include <tandem/pool.hpp>

int square(int n) {
  return n * n;
}

int main() {
  tandem::Pool pool(4);
  const char* separator = "[";
  for (int result : pool.map(square, std::views::iota(0, 10))) {
    std::cout << separator << result;
    separator = ", ";
  }
  std::cout << "]\n";
}
