#pragma once
// Which C++ types are values, how they are encoded, and how to add your own: see the top of each header.

#include "tandem/codec/codec.hpp"      // the customisation point
#include "tandem/codec/container.hpp"  // optional, vector, map, tuple, variant…
#include "tandem/codec/scalar.hpp"     // bool, integers, floats, text, bytes, enums
#include "tandem/codec/time.hpp"       // durations and time points
