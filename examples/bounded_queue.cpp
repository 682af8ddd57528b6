// An endless producer and a queue with room for three: the producer waits whenever main does not keep up.
// When main has enough items it closes the queue, which ends the producer's put.
#include <algorithm>
#include <iostream>
#include <tandem/tandem.hpp>
#include <thread>

int main() {
  tandem::Manager manager;
  auto queue = manager.queue<int>(3);

  tandem::Process producer([=] {
    try {
      for (int n = 0;; ++n) queue.put(n);
    } catch (const tandem::Closed&) {
      std::cout << "the producer stops" << std::endl;
    }
  });
  std::size_t most = 0;
  for (int taken = 0; taken < 20; ++taken) {
    while (!queue.full()) std::this_thread::yield();  // slower than the producer
    most = std::max(most, queue.size());
    std::cout << "took " << queue.get() << std::endl;
  }
  queue.close();
  producer.join();
  std::cout << "at most " << most << " inside; the producer's exit code is " << *producer.exit_code() << '\n';
}
