# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: made, found unchanged, and the memory that a large call takes."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values, ratio
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, command, cpu, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import (
    FOREIGN,
    Entry,
    Host,
    expect,
    route_lines,
    routes,
)

PYTHON_SIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(engine.COLLECTIONS), "LC_ALL": "C.UTF-8"}
LAUNCH = Path(__file__).parent / "launch.py"


def add(bench: Bench, *, number: int, label: str, process: bool = False) -> dict[str, Sample]:
    """Make routes in an empty namespace: the engine in a warm process, and afresh, against `ip -batch`; CPU."""
    entries = routes(bench.size(number))
    wanted = sum(len(entry["destinations"]) for entry in entries)
    batch = bench.file("add.batch", route_lines(entries))
    listed = bench.file("add.json", json.dumps(entries))

    def in_empty_host(work: t.Callable[[str], Cost]) -> t.Callable[[], Cost]:
        def side() -> Cost:
            with Host() as host:
                cost = work(host.path)
                host.expect_routes(wanted)
            return cost

        return side

    afresh = [sys.executable, str(engine.__file__), str(listed)]
    sides = {
        "engine": in_empty_host(lambda netns: forked(lambda: engine.make_routes(entries), netns=netns)),
        "ip -batch": in_empty_host(lambda netns: command(["ip", "-batch", str(batch)], netns=netns)),
    }
    if process:
        sides["process"] = in_empty_host(lambda netns: command(afresh, netns=netns, environment=PYTHON_SIDE))
    costs = bench.interleave(sides)
    found = {f"kernel.add_{label}_vs_ip_batch": ratio(cpu(costs["engine"]), cpu(costs["ip -batch"]))}
    if process:
        found[f"kernel.add_{label}_process_vs_ip_batch"] = ratio(cpu(costs["process"]), cpu(costs["ip -batch"]))
    return found


def unchanged(bench: Bench, *, name: str, number: int, foreign: int = 0) -> dict[str, Sample]:
    """Find routes of ours as they should be: the engine against `ip -j route show`, parsed and compared; CPU."""
    entries = routes(bench.size(number))
    with Host() as host:
        if foreign:
            host.batch(route_lines(routes(bench.size(foreign), FOREIGN), protocol="static"))
        expect(forked(lambda: engine.make_routes(entries), netns=host.path).answer, True, "the first call changed")

        def ours() -> Cost:
            cost = forked(lambda: engine.make_routes(entries), netns=host.path)
            expect(cost.answer, False, "the engine found something to change")
            return cost

        def theirs() -> Cost:
            cost = forked(lambda: _compare_with_ip(entries), netns=host.path)
            expect(cost.answer, True, "ip shows what is wanted")
            return cost

        costs = bench.interleave({"engine": ours, "ip -j": theirs})
    return {name: ratio(cpu(costs["engine"]), cpu(costs["ip -j"]))}


def _compare_with_ip(entries: t.Sequence[Entry]) -> bool:
    wanted = {(name, entry["gateway"], entry["device"]) for entry in entries for name in entry["destinations"]}
    shown = subprocess.run(["ip", "-j", "route", "show", "proto", "98"], stdout=subprocess.PIPE, check=True).stdout
    return {(route["dst"], route.get("gateway"), route["dev"]) for route in json.loads(shown)} == wanted


def memory(bench: Bench, *, number: int) -> dict[str, Sample]:
    """Make routes by the module as a process of its own, from a file and with a diff; peak resident memory, MiB."""
    entries = routes(bench.size(number))
    arguments = {"src": str(bench.file("src.json", json.dumps(entries))), "_ansible_diff": True}
    stdin = bench.file("arguments.json", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    peak = bench.scratch / "peak"
    module = [sys.executable, str(LAUNCH), str(peak), sys.executable, "-m", f"{engine.MODULES}.calico_route"]
    peaks: list[float] = []

    def side() -> Cost:
        with Host() as host:
            cost = command(module, netns=host.path, stdin=stdin, environment=PYTHON_SIDE)
            expect(json.loads(cost.answer.splitlines()[-1]).get("changed"), True, "the module changed something")
            host.expect_routes(sum(len(entry["destinations"]) for entry in entries))
        peaks.append(int(peak.read_text(encoding="ascii")) / 1024)
        return cost

    bench.interleave({"module": side}, warm=False)
    return {"kernel.rss_100k_mib": of_values(peaks, "MiB")}
