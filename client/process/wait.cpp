#include "tandem/wait.hpp"

#include <string>

#include "client/os/poll.hpp"
#include "tandem/error.hpp"

namespace tandem {

std::vector<std::size_t> wait(std::span<const Waitable> things,
                              std::optional<std::chrono::milliseconds> limit) {
  std::vector<pollfd> wanted;
  for (const Waitable& each : things) {
    if (each.descriptor() < 0)
      throw ValueError("cannot wait for descriptor " + std::to_string(each.descriptor()));
    wanted.push_back({each.descriptor(), POLLIN, 0});
  }
  std::vector<std::size_t> ready;
  if (wanted.empty()) return ready;
  os::poll_until(wanted, limit);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if ((wanted[i].revents & POLLNVAL) != 0)
      throw ValueError("cannot wait for descriptor " + std::to_string(wanted[i].fd) + ": it is not open");
    if (wanted[i].revents != 0) ready.push_back(i);
  }
  return ready;
}

}  // namespace tandem
