# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and processor time of the playbook probe on nodes in two subnets, and the packets between two nodes."""

from __future__ import annotations

import os
import resource
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values, ratio

TESTS: t.Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("lab", "scenarios")]

from defects import probe, surrounded
from stage import Stage

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench

SIZES: t.Final = (10, 20)
NARROW: t.Final = "mtu1400"  # where the most packets are needed


def measure(bench: Bench) -> dict[str, Sample]:
    """Probe ten and twenty nodes in turn, all of them at the same time, and ten whose network is narrow."""
    seconds: dict[int, list[float]] = {size: [] for size in SIZES}
    cost: dict[int, list[float]] = {size: [] for size in SIZES}
    packets: list[float] = []
    stages = {size: Stage(f"probe{size}x{os.getpid()}") for size in SIZES}
    try:
        for size, stage in stages.items():
            surrounded(stage, size, "plain", "VXLANCrossSubnet")
        for number in range(bench.runs + 1):  # the first does not count
            for size, stage in stages.items():
                before, began = _processor_seconds(), time.monotonic()
                verdict, status = probe(stage, "--forks", str(size))
                assert status == 0, verdict["failure"]
                if number:
                    seconds[size].append(time.monotonic() - began)
                    cost[size].append((_processor_seconds() - before) / size)
                    packets.append(verdict["packets"])
                    bench.note(f"run {number} of {bench.runs}: {size} nodes in {seconds[size][-1]:.1f} s")
        surrounded(stages[SIZES[0]], SIZES[0], NARROW, "VXLANCrossSubnet")
        packets.append(probe(stages[SIZES[0]], "--forks", str(SIZES[0]))[0]["packets"])
    finally:
        for stage in stages.values():
            stage.down()
    most = Sample(max(packets), (min(packets), max(packets)), len(packets), "packets")
    return {
        "probe.ten_nodes_s": of_values(seconds[10], "s"),
        "probe.node_cost_20_vs_10": ratio(cost[20], cost[10]),
        "probe.packets_per_pair": most,
    }


def _processor_seconds() -> float:
    """Return the processor time of all children that have ended, in seconds; a node's modules are among them."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
