#pragma once
// Every hosted type's operations.

#include "tandem/ops/array.hpp"
#include "tandem/ops/dict.hpp"
#include "tandem/ops/list.hpp"
#include "tandem/ops/manager.hpp"
#include "tandem/ops/namespace.hpp"
#include "tandem/ops/set.hpp"
#include "tandem/ops/value.hpp"
