#!/usr/bin/env bash
# Counts the instructions of operations and compares them with what they were: see instructions.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
source .ci/packages.sh
packages_install "${packages_to_build[@]}" valgrind python3 libhiredis-dev libboost-dev libbenchmark-dev libmsgpack-cxx-dev
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_BENCH=ON
cmake --build build --target bench_instructions
exec /usr/bin/python3 tests/bench/instructions.py --binaries build/bin "$@"
