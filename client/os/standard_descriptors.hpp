#pragma once
// Descriptors 0 to 2. If a program has closed them, the system returns their numbers for whatever is opened
// next, and what the program prints would go there. So none of ours has one of these numbers.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace tandem::os {

/// Moves a descriptor that was just opened away from 0 to 2. Returns its number, or -1 with errno set, as its
/// argument, which may be -1 too.
inline int above_standard(int descriptor) noexcept {
  if (descriptor < 0 || descriptor > STDERR_FILENO) [[likely]]
    return descriptor;
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return moved;
}

/// The same for a pair. On failure returns false, and both are closed.
inline bool above_standard(int (&pair)[2]) noexcept {
  for (int& descriptor : pair) descriptor = above_standard(descriptor);
  if (pair[0] >= 0 && pair[1] >= 0) return true;
  const int error = errno;
  for (const int descriptor : pair)
    if (descriptor >= 0) ::close(descriptor);
  errno = error;
  return false;
}

/// Opens /dev/null for those of 0 to 2 that are closed, so that what others open meanwhile gets no such
/// number. Closed on destruction, unless kept.
class StandardDescriptorsTaken {
 public:
  StandardDescriptorsTaken() noexcept {
    int opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    while (opened >= 0 && opened <= STDERR_FILENO) {
      taken_[opened] = true;
      opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    if (opened >= 0) ::close(opened);
  }
  ~StandardDescriptorsTaken() {
    for (int number = 0; number <= STDERR_FILENO; ++number)
      if (taken_[number]) ::close(number);
  }
  StandardDescriptorsTaken(const StandardDescriptorsTaken&) = delete;
  StandardDescriptorsTaken& operator=(const StandardDescriptorsTaken&) = delete;
  void keep() noexcept {
    for (bool& taken : taken_) taken = false;
  }

 private:
  bool taken_[STDERR_FILENO + 1] = {};
};

}  // namespace tandem::os
