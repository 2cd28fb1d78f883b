# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MTU of pods becomes smaller and larger again while they talk."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t

import pytest
from pod_pings import POD, Pings, make_pods
from stage import Stage

pytestmark = pytest.mark.nightly

SMALL, LARGE = 1350, 1450

# A server that notes how much it has received, and a client that sends 1 MB/s in pieces that fill packets.
SERVER = """
import socket
s = socket.create_server(("0.0.0.0", 9000)); c, _ = s.accept(); n = 0
while True:
    n += len(c.recv(65536))
    open("/run/received", "w").write(str(n))
"""
CLIENT = """
import socket, sys, time
for _ in range(100):
    try:
        c = socket.create_connection((sys.argv[1], 9000)); break
    except OSError:
        time.sleep(0.1)
while True:
    c.sendall(bytes(20000)); time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def pods(stage: Stage) -> dict[str, str]:
    """Have two nodes with VXLAN and a pod each."""
    stage.deployed(2)
    return make_pods(stage)


@pytest.fixture
def stream(stage: Stage, pods: dict[str, str]) -> t.Iterator[t.Callable[[], int]]:
    """Return a function that returns how much a stream from the one pod to the other has carried so far (bytes)."""
    inside = ["ip", "netns", "exec", POD, "python3", "-c"]
    running = [
        subprocess.Popen(stage.enter("node2", *inside, SERVER)),
        subprocess.Popen(stage.enter("node1", *inside, CLIENT, pods["node2"])),
    ]
    yield lambda: int(stage.run("node2", "cat /run/received").stdout or 0)
    for name, process in zip(("node2", "node1"), running):
        stage.ask(name, f"ip netns pids {POD} | xargs -r kill")
        process.wait(timeout=10)


def goes_on(stream: t.Callable[[], int]) -> bool:
    """Tell whether another 100 kB come through within half a minute."""
    start, end = stream(), time.monotonic() + 30
    while stream() < start + 100_000:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def mtus(stage: Stage, node: str) -> dict[str, int]:
    """Return the MTU of both ends of the pod's link, of the tunnel, and of new pods."""
    links = json.loads(stage.ask(node, "ip -j link show"))
    found = {"host" if link["ifname"].startswith("cali") else link["ifname"]: link["mtu"] for link in links}
    inside = json.loads(stage.ask(node, f"ip netns exec {POD} ip -j link show eth0"))[0]["mtu"]
    network = json.loads(stage.ask(node, "cat /etc/cni/net.d/10-podnet-calico.conflist"))
    new = next(plugin["mtu"] for plugin in network["plugins"] if "mtu" in plugin)
    return {"host": found["host"], "pod": inside, "tunnel": found["vxlan.calico"], "new": new}


def test_pods_shrink_and_grow_while_they_talk(stage: Stage, pods: dict[str, str], stream: t.Callable[[], int]) -> None:
    assert goes_on(stream)
    for asked, mtu in ((SMALL, SMALL), (None, LARGE)):

        def change(group: dict[str, t.Any], asked: int | None = asked) -> None:
            group["vars"].update({"calico_mtu": asked} if asked else {})

        inventory = stage.changed_inventory(change)
        with Pings(stage, pods) as small, Pings(stage, pods, size=SMALL) as full:
            stage.succeed("switch_encapsulation", inventory=inventory)
        assert (small.lost, full.lost) == ({}, {})
        assert [mtus(stage, name) for name in stage.names] == [dict.fromkeys(("host", "pod", "tunnel", "new"), mtu)] * 2
        assert goes_on(stream)
        assert stage.succeed("deploy", inventory=inventory).changed == []
