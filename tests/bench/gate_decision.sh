#!/bin/sh
# Median and p99 of the gate's decision over 10,000 machines. Usage: gate_decision.sh BUILD-FOLDER [FOLDER [RUNS]]
set -eu
build=${1:?usage: gate_decision.sh BUILD-FOLDER [FOLDER [RUNS]]}
shift
ninja -C "$build" bench_gate_decision >/dev/null
exec "$build/tests/bench/gate/bench_gate_decision" "$@"
