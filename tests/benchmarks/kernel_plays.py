# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's run pays: a task with many routes, and a call of each module that has nothing to do."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, marginal, ratio, worst
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, cpu
from ansible_collections.podnet.calico.tests.benchmarks.plays import Plays
from ansible_collections.podnet.calico.tests.benchmarks.scene import DEVICE, Entry, Host, pods, route_lines, routes

CALLS = 10


def tasks(bench: Bench, *, number: int) -> dict[str, Sample]:
    """Make routes by one task, and find them unchanged, against `command: ip -batch`; CPU beyond an empty play."""
    entries = routes(bench.size(number))
    wanted = sum(len(entry["destinations"]) for entry in entries)
    batch = bench.file("replace.batch", route_lines(entries, "replace"))
    listed = bench.file("src.json", json.dumps(entries))
    ways: dict[str, Entry] = {
        "command": {"ansible.builtin.command": f"ip -batch {batch}"},
        "src": engine.route_task(src=str(listed)),
        "grouped": engine.route_task(routes=entries),
    }
    with Host() as host:
        plays = Plays(bench, host.path)
        sides = {"empty": plays.play("empty", [])}
        for name, task in ways.items():
            again = 1 if name == "command" else 0
            sides[name] = _from_nothing(host, plays.play(name, [task], changed=1), wanted)
            sides[f"{name} again"] = plays.play(f"{name} again", [task], changed=again)
        costs = bench.interleave(sides)
    beyond = {name: marginal(cpu(cost), cpu(costs["empty"])) for name, cost in costs.items()}
    found = {}
    for name in ("src", "grouped"):
        found[f"kernel.task_{name}_vs_command"] = ratio(beyond[name], beyond["command"])
        found[f"kernel.task_{name}_vs_command_nochange"] = ratio(beyond[f"{name} again"], beyond["command again"])
    return found


def _from_nothing(host: Host, play: t.Callable[[], Cost], wanted: int) -> t.Callable[[], Cost]:
    def side() -> Cost:
        host.flush()
        cost = play()
        host.expect_routes(wanted)
        return cost

    return side


def overhead(bench: Bench) -> dict[str, Sample]:
    """Call each kernel module with nothing to do, against a module of basic.py alone; CPU per call in one play."""
    with Host() as host:
        plays = Plays(bench, host.path)
        small = engine.small_tasks(routes(10), pods(3), DEVICE)
        if "calico_nat" not in small:
            bench.note("there is no module calico_nat: left out")
        for name, task in small.items():
            plays.play(f"{name} first", [task], changed=1)()
        sides = {"empty": plays.play("empty", []), "trivial": plays.play("trivial", [{"trivial": {}}] * CALLS)}
        sides.update({name: plays.play(name, [task] * CALLS) for name, task in small.items()})
        costs = bench.interleave(sides)
    beyond = {name: marginal(cpu(cost), cpu(costs["empty"])) for name, cost in costs.items()}
    found = {
        f"kernel.module_overhead_{name.replace('calico_', '')}": ratio(beyond[name], beyond["trivial"])
        for name in small
    }
    return {**found, "kernel.module_overhead": worst(found.values())}
