# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long BIRDs with our configuration take until all routes are in all kernels, and the memory they have then."""

from __future__ import annotations

import functools
import json
import time
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import bgp_clusters, bgp_engine
from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import Birds, Farm, many_neighbours
from ansible_collections.podnet.calico.tests.benchmarks.bgp_watch import Watch
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values, ratio
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, wall
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect, ip

WAITING = 240.0  # seconds after which a run has failed
SIDES = (("mesh", 50), ("rr", 50), ("mesh", 100), ("rr", 100), ("rr", 200))
CLUSTERS: dict[str, bgp_clusters.Make] = {
    "mesh": bgp_clusters.mesh,
    "rr": bgp_clusters.reflected,
}


def converge(bench: Bench) -> dict[str, Sample]:
    """Start BIRDs of 50, 100 and 200 nodes, in a mesh and with two reflectors; wall, and PSS of all of them."""
    largest = bench.size(200)
    with many_neighbours(largest), Farm(largest) as farm:
        sides = {f"{way}_{number}": _side(bench, farm, way, bench.size(number)) for way, number in SIDES}
        costs = bench.interleave(sides, warm=False)
    found = {f"bgp.converge_{name}_s": of_values(wall(cost), "s") for name, cost in costs.items()}
    for name in ("mesh_100", "rr_100"):
        found[f"bgp.pss_{name}_mib"] = of_values([cost.answer for cost in costs[name]], "MiB")
    for ours, theirs in (("mesh_100", "rr_100"), ("rr_100", "rr_50"), ("rr_200", "rr_100")):
        pair = ratio(wall(costs[ours]), wall(costs[theirs]))
        found["bgp.converge_mesh_vs_rr_100" if ours == "mesh_100" else f"bgp.converge_{ours}_vs_{theirs[3:]}"] = pair
    return found


def _side(bench: Bench, farm: Farm, way: str, number: int) -> t.Callable[[], Cost]:
    nodes = dict(list(farm.nodes.items())[:number])
    texts = bgp_engine.configurations(CLUSTERS[way](nodes), nodes)
    return functools.partial(_run, bench, farm, f"{way}-{number}", texts)


def _run(bench: Bench, farm: Farm, name: str, texts: t.Mapping[str, str]) -> Cost:
    """Start all BIRDs and wait for a route of each block, the own one included, in each kernel."""
    farm.connect(len(texts))
    with Watch(texts) as watch:
        started = time.monotonic()
        with Birds(bench.scratch / name, texts) as birds:
            ended = watch.wait(len(texts), WAITING, birds.complaint)
            cost = Cost(0.0, ended - started, birds.pss())
            for node in texts:
                shown = json.loads(ip("-n", node, "-j", "route", "show", "proto", "bird") or "[]")
                expect(len(shown), len(texts), f"routes that ip shows on {node}")
    bench.note(f"{name}: {cost.wall:.2f} s, {cost.answer:.0f} MiB")
    return cost
