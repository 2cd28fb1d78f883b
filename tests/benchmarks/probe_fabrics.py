# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""False alarms on clean fabrics, with and without a deployed network, and defects that are named."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample

TESTS: t.Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("lab", "scenarios")]

from defects import DEFECTS, names_defect, probe, surrounded
from stage import Stage

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench

NODES: t.Final = 3
MODES: t.Final = ("VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet")
# What is deployed on nodes of which kind: the kernel of this machine may have no IPIP.
DEPLOYED: t.Final = {"netns": ("VXLAN", "VXLANCrossSubnet"), "vm": ("IPIP", "IPIPCrossSubnet")}


def measure(bench: Bench) -> dict[str, Sample]:
    """Probe clean fabrics in all modes, then each fabric that is not."""
    stage = Stage(f"probe{os.getpid()}")
    alarms: list[int] = []
    named = 0
    try:
        surrounded(stage, NODES, "plain", "None", subnets=1)
        alarms.append(_alarms(bench, stage, "None"))
        stage.succeed("deploy")
        alarms.append(_alarms(bench, stage, "None", "deployed"))
        surrounded(stage, NODES, "plain", MODES[0])
        alarms += [_alarms(bench, stage, mode) for mode in MODES]
        alarms += _deployed(bench, stage, "netns")
        for fabric in DEFECTS:
            surrounded(stage, NODES, fabric, "VXLANCrossSubnet")
            found = names_defect(probe(stage)[0], fabric)
            bench.note(f"{fabric}: {'named' if found else 'NOT NAMED'}")
            named += found
        stage.down()
        alarms += _deployed(bench, stage, "vm")
    finally:
        stage.down()
    return {
        "probe.false_alarms": Sample(sum(alarms), (min(alarms), max(alarms)), len(alarms), "findings"),
        "probe.fabrics_named": Sample(named, (named, named), 1, "fabrics"),
    }


def _deployed(bench: Bench, stage: Stage, kind: str) -> list[int]:
    """Return the false alarms beside networks that nodes of a kind have."""
    found = []
    for mode in DEPLOYED[kind]:
        surrounded(stage, NODES, "plain", mode, kind=kind)
        stage.succeed("deploy")
        found.append(_alarms(bench, stage, mode, f"deployed, {kind} nodes"))
        stage.succeed("reset")
    return found


def _alarms(bench: Bench, stage: Stage, mode: str, state: str = "nothing deployed") -> int:
    findings = probe(stage, encapsulations=[mode])[0]["findings"]
    bench.note(f"clean, {mode}, {state}: {len(findings)} findings")
    return len(findings)
