# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kernel's figures are measured: a network namespace as host, routes and pods in it, all gone afterwards."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

PREFIX = "podnetbench-"
NETNS = Path("/run/netns")
DEVICE = "eth0"
GATEWAYS = 100  # next hops that the routes are spread over
SETTLING = 300.0  # seconds that the kernel gets to dismantle namespaces
OWN, FOREIGN = "10.0.0.0", "10.128.0.0"

Entry = t.Dict[str, t.Any]


def ip(*arguments: str, lines: str | None = None) -> str:
    """Run `ip` outside of any measurement and return its output; raises MeasuringFailed."""
    done = subprocess.run(["ip", *arguments], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasuringFailed(f"ip {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


class Host:
    """A fresh namespace with a link to its neighbours; leaving it removes every namespace of the benchmarks."""

    name = f"{PREFIX}host"
    path = str(NETNS / name)

    def __enter__(self) -> Host:
        ip("netns", "add", self.name)
        setting = (
            "link set lo up",
            f"link add {DEVICE} type veth peer name far0",
            f"addr add 192.0.2.1/24 dev {DEVICE}",
            f"link set {DEVICE} up",
            "link set far0 up",
        )
        self.batch("\n".join(setting))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        sweep()

    def batch(self, lines: str) -> None:
        """Run commands of `ip` inside."""
        ip("-n", self.name, "-batch", "-", lines=lines)

    def flush(self) -> None:
        """Remove the routes of ours."""
        ip("-n", self.name, "route", "flush", "proto", "98")

    def expect_routes(self, number: int) -> None:
        """Raise MeasuringFailed unless there are that many routes of ours."""
        found = len(json.loads(ip("-n", self.name, "-j", "route", "show", "proto", "98") or "[]"))
        if found != number:
            raise MeasuringFailed(f"{number} routes were to be made, {found} are there")


def expect(found: object, wanted: object, what: str) -> None:
    """Raise MeasuringFailed if a side did not do what it was measured for."""
    if found != wanted:
        raise MeasuringFailed(f"{what}: expected {wanted!r}, got {found!r}")


def routes(number: int, first: str = OWN) -> list[Entry]:
    """Return that many /26 routes, grouped by next hop: destinations, gateway, device."""
    start = int(ipaddress.ip_address(first))
    networks = [f"{ipaddress.ip_address(start + 64 * index)}/26" for index in range(number)]
    share = -(-number // GATEWAYS)
    return [
        {"destinations": networks[at : at + share], "gateway": f"192.0.2.{10 + at // share}", "device": DEVICE}
        for at in range(0, number, share)
    ]


def route_lines(entries: t.Iterable[Entry], verb: str = "add", protocol: str = "98") -> str:
    """Return the routes as lines for `ip -batch`."""
    return "".join(
        f"route {verb} {destination} via {entry['gateway']} dev {entry['device']} proto {protocol}\n"
        for entry in entries
        for destination in entry["destinations"]
    )


def pods(number: int) -> list[Entry]:
    """Return that many endpoints with a namespace and an address each."""
    start = int(ipaddress.ip_address("10.244.0.2"))
    return [
        {
            "name": f"bench.pod{index}",
            "netns": f"{PREFIX}{index}",
            "addresses": [str(ipaddress.ip_address(start + index))],
            "mtu": 1450,
        }
        for index in range(number)
    ]


def sweep() -> None:
    """Remove every namespace of the benchmarks, also of an earlier run, and wait until the kernel is done with them."""
    names = sorted(name for name in os.listdir(NETNS) if name.startswith(PREFIX)) if NETNS.is_dir() else []
    if Host.name in names:  # takes the routes with it, at once
        subprocess.run(["ip", "-n", Host.name, "link", "del", DEVICE], capture_output=True, check=False)
    if names:
        _settle(names)
    engine.forget(PREFIX)


def _settle(names: t.Sequence[str]) -> None:
    """Delete namespaces; a link into the last of them goes when the kernel has come to it, all others before."""
    watch, last = f"{PREFIX}watch", f"{PREFIX}zz-last"
    fresh = [name for name in (watch, last) if name not in names]
    ip("-force", "-batch", "-", lines="".join(f"netns add {name}\n" for name in fresh))
    pair = ["ip", "-n", watch, "link", "add", "watch0", "type", "veth", "peer", "name", "watch1", "netns", last]
    subprocess.run(pair, capture_output=True, check=False)
    doomed = [*(name for name in names if name not in (watch, last)), last]
    ip("-force", "-batch", "-", lines="".join(f"netns del {name}\n" for name in doomed))
    until = time.monotonic() + SETTLING
    while "watch0" in ip("-n", watch, "-br", "link") and time.monotonic() < until:
        time.sleep(0.05)
    ip("netns", "del", watch)
