# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of three nodes in two subnets with a pod on each, whose encapsulation the playbook changes."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import typing as t
from pathlib import Path

TESTS: t.Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("lab", "scenarios", "vm")]

import pod_unit
from pod_pings import Pings, make_pods
from stage import Stage

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

NODES: t.Final = 3
POD_AT_BOOT: t.Final = pod_unit.POD


def kernel_has_ipip() -> bool:
    """Tell whether this machine's kernel makes IPIP tunnels, by making one in a throw-away namespace."""
    command = ["unshare", "--net", "ip", "link", "add", "probe", "type", "ipip", "local", "192.0.2.1"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Cluster:
    """Nodes of a kind ("netns" or "vm") with a deployed network and pods, from entering to leaving."""

    def __init__(self, kind: str, encapsulation: str) -> None:
        self._kind, self._first = kind, encapsulation
        self.stage = Stage(f"bench{os.getpid()}")
        self.pods: dict[str, str] = {}

    def __enter__(self) -> Cluster:
        try:
            self._up(self._first)
            self.stage.succeed("deploy")
            self.pods = make_pods(self.stage)
        except BaseException:
            self.stage.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stage.down()

    def pods_at_boot(self) -> dict[str, str]:
        """Have a unit on each node make a pod now and at each boot, as a runtime does; return their addresses."""
        blocks = {name: str(ipaddress.ip_network(f"{address}/26", False)) for name, address in self.pods.items()}
        return pod_unit.install(self.stage, blocks)

    def _up(self, encapsulation: str) -> None:
        self.stage.up(NODES, encapsulation, options=["--kind", self._kind, "--subnets", "2", "--router"])

    def switch(self, encapsulation: str) -> tuple[int, dict[tuple[str, str], int]]:
        """Change the encapsulation under pings; return the packets sent, and those lost by pair of nodes."""
        self._up(encapsulation)  # rewrites the inventory of the nodes that run
        with Pings(self.stage, self.pods) as pings:
            self.stage.succeed("switch_encapsulation")
        self.stage.succeed("verify")
        return pings.sent, pings.lost
