# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that ping each other a hundred times a second while something happens, and what was lost."""

from __future__ import annotations

import ipaddress
import re
import signal
import subprocess
import typing as t

import pytest
from stage import Stage

POD: t.Final = "test.pod"


def make_pods(stage: Stage) -> dict[str, str]:
    """Make a pod on each node and return the addresses; the first two of a block are kept for tunnels."""
    pods = {}
    for name in stage.names:
        block = re.findall(r"blackhole (\S+)", stage.ask(name, "ip route"))[0]
        pods[name] = str(ipaddress.ip_network(block)[2])
        stage.module(name, "calico_veth", endpoints=[{"name": POD, "addresses": [pods[name]]}])
    return pods


class Pings:
    """Pings between the pods of all ordered pairs of nodes, from entering to leaving.

    netns: the pods' namespaces; options: further ones of ping.
    """

    def __init__(
        self, stage: Stage, pods: t.Mapping[str, str], netns: str = POD, options: t.Sequence[str] = ()
    ) -> None:
        self._stage, self._pods, self._netns, self._options = stage, pods, netns, options
        self._running: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self.sent = 0
        self.lost: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Pings:
        for name in self._pods:
            for other, address in self._pods.items():
                if name != other:
                    command = ["ip", "netns", "exec", self._netns, "ping", "-q", "-n", "-i", "0.01", "-W", "1"]
                    command += [*self._options, address]
                    self._running[name, other] = subprocess.Popen(
                        self._stage.enter(name, *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                    )
        return self

    def __exit__(self, *error: object) -> None:
        for pair, process in self._running.items():
            node = self._stage.enter(pair[0], "pkill", "-INT", "-f", f"ping .* {self._pods[pair[1]]}$")
            subprocess.run(node, check=False, capture_output=True)
            try:
                output = process.communicate(timeout=20)[0]
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                raise
            found = re.search(r"(\d+) packets transmitted, (\d+) received", output)
            if not found:
                pytest.fail(f"ping {pair}: {output}")
            sent, received = map(int, found.groups())
            self.sent += sent
            # The last packet may have been on its way when ping was told to end.
            if sent - received > 1:
                self.lost[pair] = sent - received
