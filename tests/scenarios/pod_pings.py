# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that ping each other a hundred times a second while something happens, and what was lost."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
from stage import Stage

POD: t.Final = "test.pod"
PROGRAM: t.Final = (Path(__file__).resolve().parent / "pinger.py").read_text(encoding="utf-8")
SECONDS: t.Final = 60.0


def make_pods(stage: Stage) -> dict[str, str]:
    """Make a pod on each node and return the addresses; the first two of a block are kept for tunnels."""
    pods = {}
    for name in stage.names:
        block = re.findall(r"blackhole (\S+)", stage.ask(name, "ip route"))[0]
        pods[name] = str(ipaddress.ip_network(block)[2])
    give_pods(stage, {name: [address] for name, address in pods.items()})
    return pods


def give_pods(stage: Stage, addresses: t.Mapping[str, list[str]]) -> None:
    """Make a pod on each node that has these addresses."""
    endpoints = {name: {"endpoints": [{"name": POD, "addresses": found}]} for name, found in addresses.items()}
    stage.modules("calico_veth", endpoints)


class Pings:
    """Pings between the pods of all ordered pairs of nodes, from entering to leaving.

    netns: the pods' namespaces. size: of a packet in bytes, never in fragments; 0 for short ones.
    sent: packets of all pairs. lost: of each pair that lost any. gaps: of each of those, the longest gap in seconds.
    """

    def __init__(self, stage: Stage, pods: t.Mapping[str, str], netns: str = POD, size: int = 0) -> None:
        self._stage, self._pods, self._netns, self._size = stage, pods, netns, size
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.sent = 0
        self.lost: dict[tuple[str, str], int] = {}
        self.gaps: dict[tuple[str, str], float] = {}

    def __enter__(self) -> Pings:
        for name in self._pods:
            others = [address for other, address in self._pods.items() if other != name]
            command = ["ip", "netns", "exec", self._netns, "python3", "-c", PROGRAM, str(self._size), *others]
            self._running[name] = subprocess.Popen(
                self._stage.enter(name, *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        for name, process in self._running.items():
            assert process.stdout is not None
            if (said := process.stdout.readline().strip()) != "ready":
                self._end()
                pytest.fail(f"the pod of {name}: {said}")
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._running.values():
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        try:
            for name, process in self._running.items():
                self._count(name, process.communicate(timeout=SECONDS)[0])
        finally:
            self._end()

    def _count(self, name: str, answer: str) -> None:
        found: dict[str, tuple[int, int, int]] = json.loads(answer)
        for other, address in self._pods.items():
            if other != name:
                sent, lost, gap = found[address]
                self.sent += sent
                if lost:
                    self.lost[name, other], self.gaps[name, other] = lost, gap / 100

    def _end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
