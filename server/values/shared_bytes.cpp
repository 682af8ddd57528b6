#include "server/values/shared_bytes.hpp"

namespace tandem::server {

SharedBytes SharedBytes::adopt(wire::Buffer memory, wire::Bytes bytes) {
  SharedBytes made;
  made.block_ = new Block{1, std::move(memory), bytes};
  return made;
}

SharedBytes SharedBytes::copy(wire::Bytes bytes) {
  wire::Buffer memory;
  memory.reserve(bytes.size());
  memory.append(bytes);
  const wire::Bytes all = memory.view();
  return adopt(std::move(memory), all);
}

}  // namespace tandem::server
