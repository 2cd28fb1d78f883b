# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "guard": what it costs packets between pods of two nodes, with and without it.

Without it is the table as it was before there was a guard, but for two rules that the first packet of a connection
meets in the chain of NAT.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.benchmarks.case import Case
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, ratio
from ansible_collections.podnet.calico.tests.benchmarks.guard_lab import Lab
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, cpu, wall

FLOWS = 30_000
FEW_FLOWS = 3000
STREAM = 4 << 30  # bytes
FEW, MANY = 10, 1000


def _with_and_without(bench: Bench, measure: t.Callable[[Lab], Cost]) -> dict[str, list[Cost]]:
    """Measure in labs of their own with the guard and without it, in turn."""

    def side(guarded: bool) -> Cost:
        with Lab(guarded=guarded) as lab:
            return measure(lab)

    return bench.interleave({"guard": lambda: side(True), "before": lambda: side(False)})


def flows(bench: Bench) -> dict[str, Sample]:
    """Send new UDP flows over VXLAN between two pods: flows per second, CPU, and connections that are tracked."""
    number = bench.size(FLOWS)
    costs = _with_and_without(bench, lambda lab: lab.flows(number))
    rates = {name: [number / seconds for seconds in wall(found)] for name, found in costs.items()}
    return {
        "guard.flow_rate_vs_before": ratio(rates["guard"], rates["before"]),
        "guard.flow_cpu_vs_before": ratio(cpu(costs["guard"]), cpu(costs["before"])),
        "guard.conntrack_vs_before": ratio(*(_tracked(bench, guarded=guarded) for guarded in (True, False))),
    }


def _tracked(bench: Bench, *, guarded: bool) -> list[float]:
    """Return the connections that both nodes track after flows so few that their outer source ports differ."""
    with Lab(guarded=guarded) as lab:
        lab.flows(bench.size(FEW_FLOWS))
        return [lab.tracked()]


def stream(bench: Bench) -> dict[str, Sample]:
    """Send one TCP stream over VXLAN between two pods: bytes per second."""
    size = bench.size(STREAM)
    costs = _with_and_without(bench, lambda lab: lab.stream(size))
    rates = {name: [size / seconds for seconds in wall(found)] for name, found in costs.items()}
    return {"guard.tcp_vs_before": ratio(rates["guard"], rates["before"])}


def scale(bench: Bench) -> dict[str, Sample]:
    """Send new UDP flows with the guard of a node that has 1,000 pods and knows 1,000 nodes, against 10 and 10; CPU."""
    number = bench.size(FLOWS)

    def side(objects: int) -> t.Callable[[], Cost]:
        def run() -> Cost:
            with Lab(guarded=True, nodes=objects, pods=objects) as lab:
                return lab.flows(number)

        return run

    costs = bench.interleave({"many": side(MANY), "few": side(FEW)})
    return {"guard.scale": ratio(cpu(costs["many"]), cpu(costs["few"]))}


CASES = (
    Case(
        "new flows between pods of two nodes",
        {
            "guard.flow_rate_vs_before": ">= 1.04",
            "guard.flow_cpu_vs_before": "<= 0.96",
            "guard.conntrack_vs_before": "<= 0.4",
        },
        flows,
        runs=9,
    ),
    Case("one TCP stream between pods of two nodes", {"guard.tcp_vs_before": ">= 0.98"}, stream, runs=9),
    Case("the guard with 1,000 pods and nodes", {"guard.scale": "<= 1.1"}, scale),
)
