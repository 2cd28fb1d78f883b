# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our nodes: from resources through the planner and calico_bird to a real BIRD, on the same wires as other routers."""

from __future__ import annotations

import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.services import offline
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    Document,
    document,
    node,
    plan_all,
    pool,
    snapshot,
)

AS = 64512
POOLS = (
    pool("main", "10.244.0.0/16", "None"),
    pool("main6", "fd00:244::/48", "None"),
    pool("hidden", "10.245.0.0/16", "None", disableBGPExport=True),
    pool("hidden6", "fd00:245::/48", "None", disableBGPExport=True),
)
Passwords = t.Dict[str, t.Dict[str, str]]


def peer(name: str, **spec: t.Any) -> Document:
    """Return a BGPPeer."""
    return document("BGPPeer", name, **spec)


def password(secret: str) -> Document:
    """Return the reference to a password, as the value of a resource's field."""
    return {"secretKeyRef": {"name": secret, "key": "password"}}


def dual(name: str, v4: str, v6: str, **more: t.Any) -> Document:
    """Return a Node with addresses of both IP versions; more: labels, and fields of its part bgp."""
    return node(name, v4, ipv6Address=v6, **more)


def bgp_plans(*documents: Document) -> dict[str, Result]:
    """Return what BIRD needs on each node of a cluster that has the documents and the POOLS."""
    nodes = {
        item["metadata"]["name"]: item["spec"]["bgp"]["ipv4Address"] for item in documents if item["kind"] == "Node"
    }
    stored = claim(snapshot(*POOLS, *documents), nodes, now=NOW)
    seen = {
        name: {"address": address, "device": "eth0", "mtu": 1500, "encapsulations": []}
        for name, address in nodes.items()
    }
    return {name: plan["bgp"] for name, plan in plan_all(stored, seen, "enabled").items()}


def own(bgp: Result, version: int, inside: str = "10.244. fd00:244:") -> str:
    """Return the node's own block in the pool main, or another one by the start of its addresses."""
    family = next(family for family in bgp["families"] if family["version"] == version)
    return t.cast("str", next(block for block in family["blocks"] if block.startswith(tuple(inside.split()))))


def all_own(bgp: Result, version: int) -> set[str]:
    """Return all of the node's blocks of one IP version."""
    return {block for family in bgp["families"] if family["version"] == version for block in family["blocks"]}


class Node:
    """A node with its BIRD."""

    def __init__(self, site: Site, name: str, **wires: str) -> None:
        self.site, self.name = site, name
        self.host = site.host(name, **wires)
        self.files = site.files / name
        self.etc, self.run = self.files / "etc", self.files / "run"
        self._socket = self.run / "bird" / "bird.ctl"
        units = self.files / "units"
        for directory in (self.etc, self._socket.parent, units):
            directory.mkdir(parents=True)
        self._binds = {"/etc/bird": self.etc, "/run": self.run, **offline(units)}

    def configure(self, bgp: Result, passwords: Passwords | None = None) -> Result:
        """Run calico_bird."""
        binds = {seen: str(real) for seen, real in self._binds.items()}
        params = {"bgp": bgp, "passwords": passwords or {}}
        done = self.site.modules.run(self.host.path, "calico_bird", params, binds=binds)
        assert not done.get("failed"), done
        return done

    def start(self) -> None:
        """Start BIRD."""
        command = ["bird", "-f", "-c", "/etc/bird/podnet-calico.conf", "-s", "/run/bird/bird.ctl"]
        self.site.start(self.host, command, self._binds, self.files / "log")
        wait_for(lambda: self._birdc("show status").returncode == 0, f"{self.name}'s start")

    def _birdc(self, question: str) -> subprocess.CompletedProcess[str]:
        command = ["birdc", "-s", str(self._socket), *question.split()]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, question: str) -> str:
        """Return BIRD's answer."""
        done = self._birdc(question)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return what BIRD says about each BGP session: "Established", or what keeps it from that."""
        rows = [line.split(None, 5) for line in self.ask("show protocols").splitlines()[2:]]
        return {row[0]: row[5].strip() if len(row) > 5 else "" for row in rows if row[1] == "BGP"}

    def since(self) -> dict[str, float]:
        """Return since when each established session is up: seconds of the day, which BIRD tells to a millisecond."""
        rows = [line.split(None, 5) for line in self.ask("show protocols").splitlines()[2:]]
        up = {row[0]: row[4].split(":") for row in rows if row[5:] and row[5].strip() == "Established"}
        return {
            name: int(hour) * 3600 + int(minute) * 60 + float(second) for name, (hour, minute, second) in up.items()
        }

    def established(self) -> set[str]:
        """Return the sessions that are up."""
        return {name for name, info in self.states().items() if info == "Established"}

    def same_as(self, before: dict[str, float]) -> bool:
        """Tell whether all sessions that were up are the same ones still. before: what since() returned then."""
        now = self.since()
        return all(abs(now.get(name, 0) - second) < 0.5 for name, second in before.items())

    def kernel(self, version: int) -> dict[str, Result]:
        """Return BIRD's routes in the kernel, by destination."""
        return self.host.routes("proto bird", version)

    def wait_up(self, *addresses: str) -> None:
        """Wait for the sessions with some addresses."""
        names = {session_name(address) for address in addresses}
        wait_for(lambda: names <= self.established(), f"{self.name}: {names}")


def session_name(address: str) -> str:
    """Return the name that the session with an address has in BIRD."""
    return "bgp_" + address.replace(".", "_").replace(":", "_")
