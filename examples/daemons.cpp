// Daemons: processes that are not joined. They end with the program.
#include <chrono>
#include <iostream>
#include <tandem/process.hpp>
#include <thread>

using namespace std::chrono_literals;

void work(int number) {
  std::this_thread::sleep_for(1s);
  std::cout << "daemon " << number << " was not ended" << std::endl;
}

int main() {
  for (int n = 0; n < 3; ++n) tandem::Process({.daemon = true}, work, n);
  std::cout << tandem::active_children().size() << " daemons are at work\nend" << std::endl;
}
