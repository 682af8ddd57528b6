#pragma once
// All of tandem for those who use a manager. Embedding a manager in a program of one's own: tandem/server.hpp.

#include "tandem/address.hpp"
#include "tandem/codec.hpp"
#include "tandem/error.hpp"
#include "tandem/function.hpp"
#include "tandem/manager.hpp"
#include "tandem/pipe.hpp"
#include "tandem/process.hpp"
#include "tandem/proxy/array.hpp"
#include "tandem/proxy/dict.hpp"
#include "tandem/proxy/event.hpp"
#include "tandem/proxy/list.hpp"
#include "tandem/proxy/lock.hpp"
#include "tandem/proxy/namespace.hpp"
#include "tandem/proxy/set.hpp"
#include "tandem/proxy/value.hpp"
#include "tandem/wait.hpp"
