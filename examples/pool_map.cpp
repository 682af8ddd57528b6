// map(): four workers apply a function to many numbers.
#include <iostream>
#include <tandem/pool.hpp>

int square(int n) {
  return n * n;
}

int main() {
  tandem::Pool pool(4);
  const char* separator = "[";
  for (int result : pool.map(square, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})) {
    std::cout << separator << result;
    separator = ", ";
  }
  std::cout << "]\n";
}
