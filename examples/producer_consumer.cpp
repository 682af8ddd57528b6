// A producer and a consumer with a queue between them: ten numbers, then a marker for the end.
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  tandem::Manager manager;
  auto queue = manager.queue<std::optional<int>>();

  tandem::Process producer([=] {
    for (int n = 0; n < 10; ++n) queue.put(n);
    queue.put(std::nullopt);
  });
  tandem::Process consumer([=] {
    while (auto n = queue.get()) std::cout << "got " << *n << '\n';
    std::cout << "no more\n";
  });
  producer.join();
  consumer.join();
}
