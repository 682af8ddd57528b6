#include "client/os/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "client/os/descriptor.hpp"
#include "client/os/signals.hpp"
#include "client/os/standard_descriptors.hpp"

namespace tandem::os {
namespace {

constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::string text_of(const char* call, int error) {
  return std::string(call) + ": " + errno_text(error);
}

/// A message of one byte with room for one descriptor.
struct Envelope {
  explicit Envelope(std::uint8_t& byte) : part{&byte, 1} {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = bytes;
    message.msg_controllen = CMSG_LEN(sizeof(int));  // room for one descriptor only
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  iovec part;
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
};

}  // namespace

std::optional<SharedMemory> SharedMemory::make(std::size_t bytes, std::string& error) {
  UnsharedDescriptor file =
      UnsharedDescriptor::open([] { return ::memfd_create("tandem", MFD_CLOEXEC | MFD_ALLOW_SEALING); });
  if (!file) return error = text_of("memfd_create", errno), std::nullopt;
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return error = text_of("ftruncate", errno), std::nullopt;
  if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0)
    return error = text_of("F_ADD_SEALS", errno), std::nullopt;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) return error = text_of("mmap", errno), std::nullopt;
  SharedMemory made(static_cast<std::uint8_t*>(at), bytes, std::move(file));
  if (::madvise(at, bytes, MADV_DONTFORK) != 0) return error = text_of("madvise", errno), std::nullopt;
  return made;
}

std::optional<SharedMemory> SharedMemory::map(int descriptor, std::size_t bytes, std::string& error) {
  const Descriptor received(descriptor);
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) return error = text_of("fstat", errno), std::nullopt;
  if (file.st_size < 0 || static_cast<std::size_t>(file.st_size) != bytes)
    return error = "the shared memory has another size than was said", std::nullopt;
  if ((::fcntl(descriptor, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
    return error = "the shared memory is not sealed", std::nullopt;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) return error = text_of("mmap", errno), std::nullopt;
  return SharedMemory(static_cast<std::uint8_t*>(at), bytes, {});
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(other.size_),
      descriptor_(std::move(other.descriptor_)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

bool send_descriptor(int socket, std::uint8_t byte, int descriptor) {
  Envelope envelope(byte);
  cmsghdr* header = CMSG_FIRSTHDR(&envelope.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return ::sendmsg(socket, &envelope.message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

bool receive_descriptor(int socket, std::uint8_t& byte, int& descriptor) {
  Envelope envelope(byte);
  descriptor = -1;
  const ssize_t count = ::recvmsg(socket, &envelope.message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (count <= 0) {
    if (count == 0) errno = 0;
    return false;
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&envelope.message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof descriptor)) {
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    descriptor = above_standard(descriptor);
  }
  return true;
}

}  // namespace tandem::os
