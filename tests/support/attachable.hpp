#pragma once
// Whether a manager takes clients, for eventually().

#include <string>

#include "tandem/manager.hpp"

namespace tandem::test {

/// Returns false if nobody listens at `address`, or the manager there has no room for one more client.
inline bool is_attachable(const std::string& address) {
  try {
    Manager(address).ping();
    return true;
  } catch (const ConnectionError&) {
    return false;
  } catch (const ResourceExhausted&) {
    return false;
  }
}

}  // namespace tandem::test
