# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "control": what deployments of many nodes cost, against an earlier build and bare pings."""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import control_plan
from ansible_collections.podnet.calico.tests.benchmarks.case import Case
from ansible_collections.podnet.calico.tests.benchmarks.control_lab import CHECKOUT, Fleet
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, ratio
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, cpu
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect

BEFORE = "a4e0fbbb"
"""The last build in which each concern of a node was a module call of its own."""

PINGS = "- hosts: calico_nodes\n  gather_facts: false\n  tasks:\n" + "    - ansible.builtin.ping:\n" * 3


def earlier(bench: Bench) -> Path:
    """Return a folder of collections with the earlier build, from the history of this checkout."""
    place = bench.scratch / "before" / "ansible_collections" / "podnet" / "calico"
    place.mkdir(parents=True, exist_ok=True)
    parts = ("galaxy.yml", "meta", "playbooks", "plugins", "roles")
    command = ["git", "-C", str(CHECKOUT), "archive", BEFORE, *parts]
    archive = subprocess.run(command, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(place)], input=archive.stdout, check=True)
    return bench.scratch / "before"


def changes(cost: Cost) -> int:
    """Return how many tasks have changed something, by a play's recap."""
    return sum(map(int, re.findall(r" changed=([0-9]+) ", str(cost.answer))))


def _unchanged(fleet: Fleet, **where: t.Any) -> Cost:
    cost = fleet.play("podnet.calico.deploy", **where)
    expect(changes(cost), 0, "tasks that change something")
    return cost


def calls(bench: Bench) -> dict[str, Sample]:
    """Count the module calls of a node without the datastore when nothing is left to do."""
    found = {}
    for name, encapsulation in (("vxlan", "VXLAN"), ("bgp", "None")):
        with Fleet(2, encapsulation) as fleet:
            fleet.stage.succeed("deploy")
            counted = float(fleet.stage.succeed("deploy").module_calls()["node2"])
        found[f"control.calls_{name}"] = Sample(counted, (counted, counted), 1, "calls")
    return found


def converged(bench: Bench) -> dict[str, Sample]:
    """Deploy what is deployed, by the earlier build and by this one, and ping the same nodes three times; CPU."""
    before, pings = earlier(bench), str(bench.file("pings.yml", PINGS))
    with contextlib.ExitStack() as stack:
        few, many = (stack.enter_context(Fleet(bench.size(count))) for count in (50, 100))
        for fleet in (few, many):
            fleet.play("podnet.calico.deploy")
        few.play("podnet.calico.deploy", collections=before)
        few.play("podnet.calico.deploy")
        costs = bench.interleave(
            {
                "before": functools.partial(_unchanged, few, collections=before),
                "now": functools.partial(_unchanged, few),
                "pings": functools.partial(few.play, pings),
                "many": functools.partial(_unchanged, many),
            },
            warm=False,
        )
    spent = {name: cpu(cost) for name, cost in costs.items()}
    return {
        "control.converged_50_vs_before": ratio(spent["now"], spent["before"]),
        "control.converged_50_vs_pings": ratio(spent["now"], spent["pings"]),
        "control.growth_100_vs_50": ratio(spent["many"], spent["now"]),
    }


def handover(bench: Bench) -> dict[str, Sample]:
    """Plan many nodes, by the earlier build and by this one."""
    return control_plan.handover(bench, earlier(bench))


def first(bench: Bench) -> dict[str, Sample]:
    """Deploy nodes that nothing has happened to, by the earlier build and by this one; CPU."""
    before = earlier(bench)

    def side(**where: t.Any) -> Cost:
        with Fleet(bench.size(50)) as fleet:
            return fleet.play("podnet.calico.deploy", **where)

    costs = bench.interleave({"before": lambda: side(collections=before), "now": side}, warm=False)
    return {"control.first_50_vs_before": ratio(cpu(costs["now"]), cpu(costs["before"]))}


CASES = (
    Case(
        "what leaves the datastore's host",
        {
            "control.handover_400_bytes_vs_before": "<= 0.01",
            "control.handover_400_cpu_vs_before": "<= 0.1",
            "control.handover_1000_mb": "<= 1",
            "control.plan_growth": "<= 2.2",
        },
        handover,
        3,
    ),
    Case(
        "a node's own plan",
        {
            "control.own_plan_1000_s": "< 0.1",
            "control.own_plan_mesh_1000_s": "< 0.1",
            "control.own_plan_rss_mib": "< 60",
        },
        control_plan.own,
    ),
    Case("module calls", {"control.calls_vxlan": "<= 3", "control.calls_bgp": "<= 5"}, calls, 1),
    Case(
        "nothing to deploy",
        {
            "control.converged_50_vs_before": "<= 0.35",
            "control.converged_50_vs_pings": "<= 1.5",
            "control.growth_100_vs_50": "<= 2.2",
        },
        converged,
        3,
    ),
    Case("first deployment", {"control.first_50_vs_before": "<= 0.5"}, first, 2),
)
