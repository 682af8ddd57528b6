#!/usr/bin/env bash
# Measures tandem beside CPython's multiprocessing, Redis, Boost.Interprocess and the machine's own limits, in one run.
#
#   tests/bench/run.sh [--json FILE] [--html FILE] [--quick] [--systems LIST] [--only LIST] [--busy LIST]
#
#   --json FILE     write the machine and all rows there as JSON
#   --html FILE     write a page with charts there, which needs nothing besides itself
#   --quick         short cells, one repetition: a minute or two instead of about ten
#   --systems LIST  only these, separated by commas: tandem-ring,tandem-unix,tandem-tcp,cpython-manager,cpython-native,
#                   redis-unix,boost-interprocess,raw-unix,raw-ring
#   --only LIST     only these workloads, separated by commas: dict_set,dict_get,dict_get_paced,dict_set_pipelined,dict_get_pipelined,
#                   list_push_back,counter_add,create_drop,large_get,large_put,huge_get,huge_put,lock_unlock,semaphore,queue_handover,
#                   queue_handover_pipelined,queue_pingpong,condition_pingpong,pool_map,killed_holder_handover,scale
#   --busy LIST     beside how many neighbours that do nothing but compute, for each processor: 0,1,2 by default. With
#                   neighbours only dict_set, dict_get, lock_unlock and queue_handover are measured
#
# Installs the Debian packages that are missing, so it wants root or sudo the first time. Redis' system service is not
# started: the suite runs servers of its own on temporary sockets and stops them at its end.
set -euo pipefail
called_from=$PWD
cd "$(dirname "$0")/../.."
source .ci/packages.sh

packages_to_bench=(redis-server libhiredis-dev libboost-dev libbenchmark-dev libmsgpack-cxx-dev python3)
policy=/usr/sbin/policy-rc.d
arguments=()

while (($# > 0)); do
  case $1 in
    --quick) arguments+=("$1") ;;
    --json | --html | --systems | --only | --busy)
      (($# > 1)) || { echo "$1 takes a value" >&2; exit 2; }
      value=$2
      # The file is meant relative to where the caller stands.
      [[ ($1 == --json || $1 == --html) && $value != /* ]] && value=$called_from/$value
      arguments+=("$1" "$value")
      shift
      ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "unknown argument: $1 (there are --json FILE, --html FILE, --quick, --systems LIST, --only LIST, --busy LIST)" >&2; exit 2 ;;
  esac
  shift
done

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }
can_install() { command -v apt-get >/dev/null && { ((EUID == 0)) || command -v sudo >/dev/null; }; }

# Debian starts a service as soon as its package is installed, unless policy-rc.d says no. One that is there already
# is the machine's own decision and stays.
install_without_services() {
  if [[ ! -e $policy ]] && ! command -v redis-server >/dev/null && can_install; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  packages_install "$@"
}

say "Packages"
# In a shell of its own, so that its trap ends with it.
(install_without_services "${packages_to_build[@]}" "${packages_to_bench[@]}")

say "Building (Release) into build/"
configure build -DCMAKE_BUILD_TYPE=Release -DTANDEM_BENCH=ON
cmake --build build --target tandemd bench_all

say "Measuring"
/usr/bin/python3 tests/bench/suite.py --binaries build/bin "${arguments[@]}"
