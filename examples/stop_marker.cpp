// The parent waits for the producer and then puts the marker that tells the consumer to stop.
#include <iostream>
#include <tandem/tandem.hpp>

int main() {
  tandem::Manager manager;
  auto queue = manager.queue<std::optional<int>>();

  tandem::Process consumer([=] {
    while (auto n = queue.get()) std::cout << "got " << *n << '\n';
  });
  tandem::Process producer([=] {
    for (int n = 0; n < 5; ++n) queue.put(n);
  });
  producer.join();
  queue.put(std::nullopt);
  consumer.join();
  std::cout << "the consumer has ended\n";
}
