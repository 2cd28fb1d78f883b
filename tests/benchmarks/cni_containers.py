# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab node with Podman, whose plugins come from archives: containers that start together, or under changes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed

TESTS: t.Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("lab", "scenarios", "tools")]

import container_runtimes
from cni_plugins import Unavailable
from containers import FOREVER, Podman, left
from crowd import LEASES, Release, Turnover, releases, remove_all, together, wide
from snapshot import take
from stage import Stage

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench

CROWD: t.Final = 200


def upgrades(bench: Bench) -> dict[str, Sample]:
    """Change the plugins again and again, as often as there are runs, while containers are started and removed."""
    with _node(bench) as (podman, versions):
        with Turnover(podman) as turnover:
            for number in range(1, bench.runs + 1):
                versions[number % 2].put(podman.stage, podman.node)
                bench.note(f"change {number} of {bench.runs}: {turnover.done} containers so far")
        for failure in turnover.failures[:5]:
            bench.note(failure)
    failed, started = float(len(turnover.failures)), float(turnover.done)
    if not started:
        raise MeasuringFailed("no container could be started")
    return {
        "cni.failed_during_upgrade": Sample(failed, (failed, failed), bench.runs, "containers"),
        "cni.started_during_upgrade": Sample(started, (started, started), bench.runs, "containers"),
    }


def crowded(bench: Bench) -> dict[str, Sample]:
    """Start 200 containers at the same time, and remove them; count addresses, and what is left of them."""
    with _node(bench) as (podman, _versions):
        stage, node = podman.stage, podman.node
        podman.start("first", *FOREVER).remove()
        before = take(stage)
        boxes, addresses = together(podman, bench.size(CROWD))
        bench.note(f"{len(boxes)} containers run")
        remove_all(boxes)
        remaining = [*left(before, take(stage)), *stage.lines(node, LEASES)]
        for line in remaining[:5]:
            bench.note(line)
    unique, leaked = float(len(set(addresses))), float(len(remaining))
    return {
        "cni.parallel_200_unique": Sample(unique, (unique, unique), 1, "addresses"),
        "cni.leaked_after_delete": Sample(leaked, (leaked, leaked), 1, "objects"),
    }


@contextlib.contextmanager
def _node(bench: Bench) -> t.Iterator[tuple[Podman, list[Release]]]:
    """Have a node with Podman, deployed with the older release, and both releases."""
    stage = Stage(f"bench{os.getpid()}")
    podman = Podman(stage, "node1")
    try:
        versions = releases(bench.scratch)
        stage.up(1)
        podman.install()
        variables = {"cni_runtime": "podman", **versions[0].variables()}
        stage.succeed("deploy", "-e", json.dumps(variables), inventory=wide(stage))
        podman.load()
        yield podman, versions
    except (Unavailable, container_runtimes.Unavailable) as error:
        raise MeasuringFailed(str(error)) from error
    finally:
        if stage.names:
            podman.end()
            stage.down()
