#pragma once
// Which C++ types are values, what they are on the wire, and how to add your own: see the head of each.

#include "tandem/codec/codec.hpp"      // the customisation point
#include "tandem/codec/container.hpp"  // optional, vector, map, tuple, variant…
#include "tandem/codec/scalar.hpp"     // bool, integers, floats, text, bytes, enums
#include "tandem/codec/time.hpp"       // durations and time points
