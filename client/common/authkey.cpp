#include "client/common/authkey.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "client/os/deadline.hpp"
#include "client/os/descriptor.hpp"
#include "client/os/signals.hpp"
#include "tandem/error.hpp"

namespace tandem::client {

namespace {

constexpr std::size_t key_bytes_max = 64 * 1024;
constexpr std::chrono::milliseconds pipe_ms_max{5'000};

}  // namespace

std::string read_authkey_file(const std::string& path) {
  auto refuse = [&path](const std::string& why) {
    throw ValueError("authkey file \"" + path + "\": " + why);
  };
  // A pipe, as a shell's <(command) is, may have its bytes later, or never; opening one must not wait either.
  const os::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file) refuse(os::errno_text());
  const os::Deadline deadline(pipe_ms_max);
  std::string key;
  char chunk[4096];
  for (;;) {
    const ssize_t count = ::read(file.get(), chunk, sizeof chunk);
    if (count == 0) break;
    if (count > 0) {
      key.append(chunk, static_cast<std::size_t>(count));
      if (key.size() > key_bytes_max) refuse("it is longer than " + std::to_string(key_bytes_max) + " bytes");
    } else if (errno == EAGAIN) {
      pollfd watched{file.get(), POLLIN, 0};
      try {
        ::poll(&watched, 1, static_cast<int>(deadline.remaining().count()));
      } catch (const os::TimedOut&) {
        refuse("its writer sent no end within " + std::to_string(pipe_ms_max.count()) + " ms");
      }
    } else if (errno != EINTR) {
      refuse(os::errno_text());
    }
  }
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.empty()) refuse("it holds no key");
  return key;
}

}  // namespace tandem::client
