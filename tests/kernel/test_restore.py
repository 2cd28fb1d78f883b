# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore file on hosts that have nothing, everything, a part, or something of others; `ip` is the oracle."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.persist import restore
from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.events import Events
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result, with_pyroute2
from ansible_collections.podnet.calico.tests.kernel.vxlan import NAME, PEER2, PEER3, VXLAN, VXLAN6
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

NewNamespace = t.Callable[[str], Namespace]
TUNNELS: list[Result] = [{**VXLAN, "peers": [PEER2, PEER3]}, VXLAN6]
ROUTES: list[Result] = [
    {"destination": "10.244.1.0/26", "gateway": "10.244.1.0", "device": NAME, "onlink": True},
    {"destination": "10.244.2.0/26", "gateway": "192.0.2.12", "device": "eth0"},
    {"destination": "10.244.0.0/26", "type": "blackhole"},
    {"destination": "169.254.1.1/32", "device": "lo", "scope": "link"},
    {"destination": "10.3.0.0/16", "device": "eth1", "source": "192.0.2.11", "metric": 7, "mtu": 1400},
    {"destination": "10.4.0.0/16", "type": "unreachable", "table": 1000},
    {
        "destination": "10.5.0.0/16",
        "next_hops": [
            {"gateway": "192.0.2.12", "device": "eth0", "weight": 3},
            {"gateway": "198.51.100.9", "device": "eth1", "onlink": True},
        ],
    },
    {"destination": "fd00:2::/122", "gateway": "fd00:2::", "device": "vxlan-v6.calico", "onlink": True},
    {"destination": "fd00:1::/122", "type": "blackhole"},
    {"destination": "fd00:3::/64", "gateway": "2001:db8::12", "device": "eth0", "metric": 1},
]
NAT: Result = {
    "masquerade": ["10.244.0.0/16", "fd00::/32"],
    "pools": ["10.244.0.0/16", "10.250.0.0/16", "fd00::/32"],
    "exclude": ["192.0.2.0/24", "198.51.100.7"],
    "tunnels": [NAME],
}
GUARD: Result = {
    "nodes": [*(f"192.0.2.{number}" for number in range(12, 212)), "198.51.100.13", "2001:db8::12"],
    "encapsulations": ["ipip", "vxlan"],
    "uplinks": ["eth0"],
}


def by_modules(host: Namespace, run_module: RunModule, *, offload: bool | None = None) -> None:
    """Make everything as the role does."""
    host.run(AT_ONCE)
    for name, params in (
        ("calico_tunnel", {"tunnels": TUNNELS, "checksum_offload": offload}),
        ("calico_route", {"routes": ROUTES}),
        ("calico_nat", {**NAT, "guard": GUARD}),
    ):
        done = run_module(name, params)
        assert not done.get("failed"), done


@pytest.fixture
def empty(new_namespace: NewNamespace) -> Namespace:
    """Return a host as the fixture host is, and as it is after a boot."""
    empty, far = new_namespace("empty"), new_namespace("far")
    pairs = [f"link add {device} type veth peer name {device} netns {far.name}" for device in ("eth0", "eth1")]
    far.batch("link set lo up")
    empty.batch(*pairs, *(f"link set {device} addrgenmode none up" for device in ("eth0", "eth1")))
    empty.batch("addr add 192.0.2.11/24 dev eth0", "addr add 2001:db8::11/64 dev eth0 nodad")
    far.batch("link set eth0 up", "link set eth1 up")
    empty.run(AT_ONCE)
    return empty


class Script:
    """The restore file of everything above; offload: as in calico_tunnel."""

    def __init__(self, path: Path, offload: bool | None = None) -> None:
        self.path = path
        path.write_text(restore.render(restore.wanted(TUNNELS, ROUTES, NAT, offload, GUARD)))

    def start(self, host: Namespace, patience: int = 5) -> subprocess.Popen[str]:
        """Start it on a host."""
        return subprocess.Popen(
            ["nsenter", f"--net={host.path}", "sh", str(self.path)],
            env={"PODNET_PATIENCE": str(patience)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, host: Namespace, patience: int = 5) -> tuple[int, list[str]]:
        """Run it on a host; return its status and what it says."""
        process = self.start(host, patience)
        said = process.communicate(timeout=120)[0]
        return process.returncode, said.splitlines()


AT_ONCE = "sysctl -qw net.ipv6.conf.default.accept_dad=0"  # new devices' link-local addresses are not looked for
DONE: tuple[int, list[str]] = (0, [])


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return the restore file."""
    return Script(tmp_path / "restore")


def shown(host: Namespace) -> Result:
    """Return all that the file is about, as iproute2 and nft show it, once the kernel has done with new addresses."""
    wait_for(lambda: not host.run("ip -6 addr show tentative").stdout, "the end of the search for duplicates")
    there = {link["ifname"]: link for link in host.show("link")}
    found: Result = {}
    for name in (tunnel["name"] for tunnel in TUNNELS if tunnel["name"] in there):
        found[name] = [there[name], *host.show(f"addr show dev {name}")]
        for row in found[name]:
            row.pop("ifindex")
    for version in (4, 6):
        found[f"routes {version}"] = sorted(map(str, host.show(f"-{version} route show table all")))
    found["neighbours"] = sorted(map(str, host.show("neigh show nud permanent")))
    found["fdb"] = sorted(host.run("bridge fdb show").stdout.splitlines())
    found["nft"] = host.run("nft list ruleset").stdout
    return found


@with_pyroute2
@pytest.mark.parametrize("offload", [None, False])
def test_an_empty_host_gets_what_the_modules_make(
    host: Namespace, empty: Namespace, run_module: RunModule, tmp_path: Path, offload: bool | None
) -> None:
    by_modules(host, run_module, offload=offload)
    assert Script(tmp_path / "restore", offload).run(empty) == DONE
    assert shown(empty) == shown(host)
    checksums = "ethtool -k vxlan.calico"
    assert empty.run(checksums).stdout == host.run(checksums).stdout


@with_pyroute2
def test_a_converged_host_is_not_touched(host: Namespace, run_module: RunModule, script: Script) -> None:
    by_modules(host, run_module)
    before = shown(host)
    handles = host.run("nft -a list ruleset").stdout
    events = Events(host)
    try:
        assert script.run(host) == DONE
        assert events.since() == []
        host.ip("route del 10.244.0.0/26")
        assert events.since() != [], "the monitor sees nothing"
    finally:
        events.close()
    assert host.run("nft -a list ruleset").stdout == handles
    assert script.run(host) == DONE
    assert shown(host) == before


DRIFTS = {
    "address": ("ip addr del 10.244.0.1/32 dev vxlan.calico",),
    "IPv6 address": ("ip addr del fd00:1::/128 dev vxlan-v6.calico",),
    "link down": ("ip link set vxlan.calico down",),
    "MTU and alias": ("ip link set vxlan.calico mtu 1300", "ip link set vxlan.calico alias mine"),
    "MAC": ("ip link set vxlan.calico address 66:00:00:00:00:77",),
    "learning": ("ip link set vxlan.calico type vxlan learning",),
    "neighbour": ("ip neigh replace 10.244.1.0 lladdr 66:00:00:00:00:77 dev vxlan.calico nud permanent",),
    "forwarding entry": ("bridge fdb del 66:00:00:00:00:02 dev vxlan.calico",),
    "device": ("ip link del vxlan.calico",),
    "route": ("ip route replace 10.244.1.0/26 via 192.0.2.12 proto 98",),
    "IPv6 route": ("ip route change fd00:3::/64 via 2001:db8::13 dev eth0 metric 1 proto 98",),
    "NAT": ("nft flush chain inet podnet_calico postrouting",),
    "no NAT": ("nft flush ruleset",),
}


@pytest.mark.parametrize("commands", DRIFTS.values(), ids=DRIFTS)
def test_what_differs_is_corrected(empty: Namespace, script: Script, commands: tuple[str, ...]) -> None:
    assert script.run(empty) == DONE
    before = shown(empty)
    for command in commands:
        empty.run(command)
    assert shown(empty) != before
    assert script.run(empty) == DONE
    assert shown(empty) == before


def test_a_run_that_is_killed_is_finished_by_the_next(empty: Namespace, script: Script, seed: int) -> None:
    started = time.monotonic()
    assert script.run(empty) == DONE
    whole = time.monotonic() - started
    wanted = shown(empty)
    chance = random.Random(seed)  # noqa: S311 (nothing is kept secret)
    unfinished = 0
    while unfinished < 3:
        empty.run("nft flush ruleset")
        empty.batch(*(f"link del {tunnel['name']}" for tunnel in TUNNELS))
        for version in (4, 6):
            empty.run(f"ip -{version} route flush table all proto 98")
        process = script.start(empty)
        time.sleep(chance.uniform(0, whole))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if shown(empty) == wanted:
            whole *= 0.8  # the machine is faster than it was
        else:
            unfinished += 1
        assert script.run(empty) == DONE
        assert shown(empty) == wanted


BROKEN = {
    "ip's routes": ("ip", "*'route show'*", "cannot read the IPv4 routes"),
    "ip's neighbours": ("ip", "*'neigh show'*", "cannot read the neigh entries of vxlan.calico"),
    "bridge": ("bridge", "*'fdb show'*", "cannot read the fdb entries of vxlan.calico"),
    "awk": ("awk", "*", "cannot compare the IPv6 routes"),
}


@pytest.mark.parametrize(("program", "arguments", "message"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_a_failure(
    empty: Namespace, script: Script, program: str, arguments: str, message: str
) -> None:
    broken = f'{program}() {{ case "$*" in {arguments}) return 2 ;; esac; command {program} "$@"; }}\n'
    script.path.write_text(script.path.read_text().replace("\nlock\n", f"\n{broken}lock\n"))
    status, said = script.run(empty)
    assert status == 1
    assert f"podnet-calico: {message}" in said
    assert len(empty.show(f"addr show dev {NAME}")) == 1, "the rest is not done"


def test_somebody_elses_device_is_left_alone(empty: Namespace, script: Script) -> None:
    empty.ip(f"link add {NAME} type bridge")
    before = empty.show(f"link show {NAME}")
    status, said = script.run(empty)
    assert (status, said) == (
        1,
        ["podnet-calico: vxlan.calico is somebody else's, or was changed: it is not vxlan id 4096"],
    )
    assert empty.show(f"link show {NAME}") == before
    there = empty.routes()
    assert "10.244.1.0/26" not in there
    assert "10.244.0.0/26" in there
    assert "inet podnet_calico" in empty.run("nft list tables").stdout


def test_somebody_elses_routes_are_left_alone(empty: Namespace, script: Script) -> None:
    foreign = ["10.244.2.0/26 via 192.0.2.12 dev eth0 proto static", "fd00:3::/64 dev eth1 metric 1 proto static"]
    empty.batch(*(f"route add {route}" for route in foreign))
    assert script.run(empty) == (
        1,
        [
            "podnet-calico: failed: route add 10.244.2.0/26 via 192.0.2.12 dev eth0 proto 98: "
            "RTNETLINK answers: File exists",
            "podnet-calico: failed: route add fd00:3::/64 via 2001:db8::12 dev eth0 proto 98 metric 1: "
            "RTNETLINK answers: File exists",
        ],
    )
    assert set(empty.routes("proto static")) == {"10.244.2.0/26"}
    assert set(empty.routes("proto static", 6)) == {"fd00:3::/64"}
    assert {"10.244.0.0/26", "10.244.1.0/26", "10.5.0.0/16"} <= set(empty.routes())


def test_it_waits_for_an_underlay_that_is_late(empty: Namespace, script: Script) -> None:
    empty.batch("addr flush dev eth0", "link set eth0 down")
    process = script.start(empty)
    for commands in (["link set eth0 up"], ["addr add 192.0.2.11/24 dev eth0"], ["addr add 2001:db8::11/64 dev eth0"]):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        empty.batch(*commands)
    assert process.communicate(timeout=120)[0] == ""
    assert process.returncode == 0


def test_it_says_what_it_waited_for_in_vain_and_does_the_rest(empty: Namespace, script: Script) -> None:
    empty.ip("addr flush dev eth0")
    status, said = script.run(empty, patience=0)
    assert status == 1
    assert "podnet-calico: this is not there, and was waited for: the address 192.0.2.11" in said
    assert "10.244.0.0/26" in empty.routes()
    assert json.loads(empty.run("nft -j list tables").stdout)["nftables"][1:]
