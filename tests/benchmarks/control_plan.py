# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning costs: what leaves the datastore's host, how that grows, and what a node has to work out by itself."""

from __future__ import annotations

import ipaddress
import json
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks.engine import COLLECTIONS
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values, ratio
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, command, cpu, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect

LAUNCH = Path(__file__).with_name("launch.py")
RUNNER = """
import importlib, sys
from ansible.module_utils import basic
with open(sys.argv[2], "rb") as file:
    basic._ANSIBLE_ARGS = file.read()
basic._ANSIBLE_PROFILE = "legacy"
importlib.import_module("ansible_collections.podnet.calico.plugins.modules." + sys.argv[1]).main()
"""

Data = t.Dict[str, t.Any]


def nodes(number: int) -> dict[str, str]:
    """Return the addresses of nodes, with prefix length, by name."""
    network = ipaddress.ip_network("10.64.0.0/16")
    return {f"node{index}": f"{network[index]}/16" for index in range(1, number + 1)}


def options(number: int, pool: Data) -> Data:
    """Return options of calico_plan for a cluster that is planned from nothing."""
    hosts = {name: {"address": address, "device": "eth0", "mtu": 1500} for name, address in nodes(number).items()}
    documents = [
        _document("IPPool", "main", cidr="10.244.0.0/15", natOutgoing=True, **pool),
        *(_document("Node", name, bgp={"ipv4Address": address}) for name, address in nodes(number).items()),
    ]
    return {"hosts": hosts, "resources": documents}


def _document(kind: str, name: str, **spec: t.Any) -> Data:
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}


def module(bench: Bench, name: str, given: Data, *, collections: Path = COLLECTIONS, rss: Path | None = None) -> Cost:
    """Run a module by itself, in a process of its own; the answer is its result. rss: where its peak memory goes."""
    arguments = bench.file(f"{name}.json", json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    runner = bench.file("runner.py", RUNNER)
    program = [sys.executable, str(runner), name, str(arguments)]
    if rss is not None:
        program = [sys.executable, str(LAUNCH), str(rss), *program]
    return command(program, environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(collections)})


def planned(bench: Bench, number: int, pool: Data, **where: t.Any) -> Cost:
    """Plan a cluster; compact unless by an earlier build."""
    place = {"datastore": {"path": str(bench.scratch / "empty")}}
    kind = {} if where else {"compact": True}
    cost = module(bench, "calico_plan", {**options(number, pool), **place, **kind}, **where)
    expect(len(json.loads(cost.answer)["plans"]), number, "plans")
    return cost


def handover(bench: Bench, before: Path) -> dict[str, Sample]:
    """Plan VXLAN nodes, by the earlier build and by this one: bytes and CPU of the module."""
    vxlan = {"vxlanMode": "Always"}
    few, half, many = bench.size(400), bench.size(500), bench.size(1000)
    costs = bench.interleave(
        {
            "before": lambda: planned(bench, few, vxlan, collections=before),
            "now": lambda: planned(bench, few, vxlan),
            "half": lambda: planned(bench, half, vxlan),
            "many": lambda: planned(bench, many, vxlan),
        }
    )
    size = {name: [float(len(cost.answer)) for cost in of] for name, of in costs.items()}
    return {
        "control.handover_400_bytes_vs_before": ratio(size["now"], size["before"]),
        "control.handover_400_cpu_vs_before": ratio(cpu(costs["now"]), cpu(costs["before"])),
        "control.handover_1000_mb": of_values([bytes_ / 1e6 for bytes_ in size["many"]], "MB"),
        "control.plan_growth": ratio(cpu(costs["many"]), cpu(costs["half"])),
    }


def own(bench: Bench) -> dict[str, Sample]:
    """Have one node of 1,000 work out its plan, with VXLAN and in a full mesh; CPU, and the peak memory of a module."""
    from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole

    number = bench.size(1000)
    given = {}
    for name, pool in (("vxlan", {"vxlanMode": "Always"}), ("mesh", {"ipipMode": "Never"})):
        answer = json.loads(planned(bench, number, pool).answer)
        given[name] = {**answer["plans"]["node7"], "table": answer["table"]}

    def side(name: str) -> t.Callable[[], Cost]:
        def work() -> int:
            plan = whole(given[name])
            return len(plan["routes"] if name == "vxlan" else plan["bgp"]["sessions"])

        return lambda: forked(work)

    costs = bench.interleave({name: side(name) for name in given})
    for name, of in costs.items():
        for cost in of:
            expect(cost.answer >= number - 1, True, f"rows for each other node ({name})")
    rss = bench.scratch / "rss"
    peaks = []
    for __ in range(bench.runs):
        module(bench, "calico_dataplane", {"plan": given["mesh"], "concerns": []}, rss=rss)
        peaks.append(int(rss.read_text()) / 1024)
    return {
        "control.own_plan_1000_s": of_values(cpu(costs["vxlan"]), "s"),
        "control.own_plan_mesh_1000_s": of_values(cpu(costs["mesh"]), "s"),
        "control.own_plan_rss_mib": of_values(peaks, "MiB"),
    }
