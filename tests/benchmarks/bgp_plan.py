# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the planner takes for the sessions of all nodes of a large cluster, and how that grows with it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import bgp_clusters, bgp_engine
from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import addresses
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values, ratio
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, cpu, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect


def planned(bench: Bench) -> dict[str, Sample]:
    """Plan 1,000 and 2,000 nodes in racks, with reflectors and routers by selectors, from documents in memory; CPU."""
    numbers = {name: bench.size(number) for name, number in (("1000", 1000), ("2000", 2000))}
    sides = {
        name: _side(bgp_clusters.racks(number), bgp_clusters.sessions_of_racks(number))
        for name, number in numbers.items()
    }
    costs = bench.interleave(sides)
    return {
        "bgp.plan_1000_nodes_s": of_values(cpu(costs["1000"]), "s"),
        "bgp.plan_growth_2000_vs_1000": ratio(cpu(costs["2000"]), cpu(costs["1000"])),
    }


def full_mesh(bench: Bench) -> dict[str, Sample]:
    """Plan 1,000 nodes in a full mesh, which is a session for each pair at both ends; CPU."""
    number = bench.size(1000)
    mesh = bgp_clusters.mesh(addresses(number))
    costs = bench.interleave({"mesh": _side(mesh, number * (number - 1))}, warm=False)
    return {"bgp.plan_mesh_1000_s": of_values(cpu(costs["mesh"]), "s")}


def _side(documents: t.Iterable[bgp_clusters.Document], wanted: int) -> t.Callable[[], Cost]:
    snapshot = bgp_engine.stored(documents, nodes=())

    def side() -> Cost:
        cost = forked(lambda: bgp_engine.sessions(snapshot))
        expect(cost.answer, wanted, "sessions of all nodes")
        return cost

    return side
