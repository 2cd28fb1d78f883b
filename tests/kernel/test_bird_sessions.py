# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rendered, in real BIRDs of all releases: sessions come up, and routes enter the kernels as they should."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import SECRETS_FILE, render_secrets
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    Advertisement,
    Bgp,
    BgpFamily,
    Filter,
    SecretKey,
    Session,
)
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.route_monitor import Monitor
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.tools import bird_versions
from ansible_collections.podnet.calico.tests.unit.bird.bgp_cases import Data, plain, pool
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans
from ansible_collections.podnet.calico.tests.unit.planner.clusters import pool as documented_pool

VERSIONS = {"2.0": (2, 0), "2.17": (2, 17), "3.1": (3, 1)}
NewNamespace = t.Callable[[str], Namespace]
SECRET = SecretKey("bgp", "all")
WORD = "a 'b' \\ $ # ; { ü"
BLOCKS = {
    4: {1: "10.244.1.0/26", 2: "10.244.2.0/26", 3: "10.244.3.0/26"},
    6: {1: "fd00:10:244:1::/122", 2: "fd00:10:244:2::/122", 3: "fd00:10:244:3::/122"},
}
SCAN, LATE = 2.0, 3.0  # seconds; what the kernel dropped is back after SCAN, and later on a busy machine
POOLS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}


def address(version: int, host: int) -> str:
    return f"192.0.2.1{host}" if version == 4 else f"2001:db8::1{host}"


class Bird:
    """A host with its own BIRD of some release."""

    def __init__(self, host: Namespace, directory: Path, release: str) -> None:
        self.host, self.directory, self.release = host, directory, release
        self._programs = bird_versions.programs(release)
        self._process: subprocess.Popen[str] | None = None
        directory.mkdir()

    def _program(self, name: str) -> str:
        return str(self._programs / name) if self._programs else name

    def start(self, bgp: Data) -> None:
        """Start BIRD with what is rendered."""
        passwords = {SECRET.name: {SECRET.key: WORD}}
        (self.directory / SECRETS_FILE).write_text(render_secrets(bgp, passwords, "n1"))
        (self.directory / "bird.conf").write_text(render(bgp, version=VERSIONS[self.release], passwords=passwords))
        self._launch()

    def _launch(self, *options: str) -> None:
        files = ["-c", str(self.directory / "bird.conf"), "-s", str(self.directory / "ctl")]
        command = ["nsenter", f"--net={self.host.path}", self._program("bird"), "-f", *options, *files]
        self._process = subprocess.Popen(command, text=True)
        wait_for(lambda: self._birdc("show status").returncode == 0, "BIRD's start")

    def restart(self) -> None:
        """Restart BIRD as its unit does, and wait until it has heard from all peers."""
        assert self._process is not None
        self.ask("graceful restart")
        self._process.wait()
        self._launch("-R")
        wait_for(lambda: "recovery in progress" not in self.ask("show status"))

    def _birdc(self, question: str) -> subprocess.CompletedProcess[str]:
        command = [self._program("birdc"), "-s", str(self.directory / "ctl"), *question.split()]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, question: str) -> str:
        done = self._birdc(question)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def established(self) -> list[str]:
        lines = self.ask("show protocols").splitlines()
        return sorted(line.split()[0] for line in lines if " BGP " in line and line.endswith("Established   "))

    def routes(self, version: int = 4) -> dict[str, Result]:
        return self.host.routes("proto bird", version)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


@pytest.fixture(params=VERSIONS)
def birds(
    request: pytest.FixtureRequest, new_namespace: NewNamespace, tmp_path: Path
) -> t.Iterator[tuple[Bird, Bird, Bird]]:
    """Return three hosts on one wire, 192.0.2.11 to 13 and 2001:db8::11 to 13; no BIRD is started yet."""
    try:
        bird_versions.programs(request.param)
    except bird_versions.Unavailable as error:
        if os.environ.get("CI") and not error.tried:
            pytest.fail(str(error))
        pytest.skip(str(error))
    wire = new_namespace("wire")
    wire.batch("link add br0 type bridge", "link set br0 up")
    made = []
    with contextlib.ExitStack() as stack:
        for index in (1, 2, 3):
            host = new_namespace(f"node{index}")
            host.ip(f"link add eth0 type veth peer name port{index} netns {wire.name}")
            wire.ip(f"link set port{index} master br0 up")
            host.batch(
                "link set eth0 up",
                f"addr add {address(4, index)}/24 dev eth0",
                f"addr add {address(6, index)}/64 dev eth0 nodad",
            )
            host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
            made.append(Bird(host, tmp_path / f"node{index}", request.param))
            stack.callback(made[-1].stop)
        yield made[0], made[1], made[2]


def family(version: int, own: int, encapsulation: str = "None", **changes: t.Any) -> BgpFamily:
    subnet = "192.0.2.0/24" if version == 4 else "2001:db8::/64"
    pools = (pool(encapsulation, cidr=POOLS[version]),)
    found = BgpFamily(version, address(version, own), subnet, pools, (BLOCKS[version][own],))
    return dataclasses.replace(found, **changes)


def session(version: int, own: int, other: int, **changes: t.Any) -> Session:
    name = f"v{version}_{other}"
    made = Session(
        name, "mesh", version, address(version, other), 64512, 64512, peer=f"n{other}", source=address(version, own)
    )
    return dataclasses.replace(made, **changes)


def node(own: int, *sessions: Session, families: t.Sequence[BgpFamily] = (), **changes: t.Any) -> Data:
    found = tuple(families) or (family(4, own), family(6, own))
    made = Bgp(f"192.0.2.1{own}", sessions[0].local_as, found, sessions)
    return t.cast("Data", plain(dataclasses.replace(made, **changes)))


def pair(own: int, other: int, **changes: t.Any) -> tuple[Session, ...]:
    return tuple(session(version, own, other, **changes) for version in (4, 6))


OPTIONS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "mesh": ({}, {}),
    "password": ({"password": SECRET}, {}),
    "TTL security": ({"ttl_security": 1}, {}),
    "kernel's source": ({"source": None}, {}),
    "another port, bound": ({"port": 1790}, {"listen_port": 1790, "bind_to_node": True}),
    "timers": ({"keepalive_time": 40, "restart_time": 60}, {}),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_routes_of_both_families_enter_both_kernels(case: str, birds: tuple[Bird, Bird, Bird]) -> None:
    of_session, of_all = OPTIONS[case]
    birds[0].start(node(1, *pair(1, 2, **of_session), **of_all))
    birds[1].start(node(2, *pair(2, 1, passive=True, **of_session), **of_all))
    for own, other in ((1, 2), (2, 1)):
        bird = birds[own - 1]
        wait_for(lambda bird=bird, other=other: bird.established() == [f"v4_{other}", f"v6_{other}"])
        for version in (4, 6):
            theirs = BLOCKS[version][other]
            wait_for(lambda bird=bird, theirs=theirs, version=version: theirs in bird.routes(version))
            route = bird.routes(version)[theirs]
            assert (route["gateway"], route["dev"]) == (address(version, other), "eth0")
            assert bird.routes(version)[BLOCKS[version][own]]["type"] == "blackhole"
    listening = {line.split()[3] for line in birds[0].host.run("ss -Hltn").stdout.splitlines()}
    if of_all.get("bind_to_node"):
        assert listening == {"192.0.2.11:1790", "[2001:db8::11]:1790"}
    else:
        assert listening == {"0.0.0.0:179", "[::]:179"}


@pytest.mark.parametrize(
    ("here", "refusals"),
    [({"password": SECRET}, ("TCPMD5NotFound", "TCPMD5Unexpected")), ({"ttl_security": 1}, ("TCPMinTTLDrop",))],
    ids=["password", "TTL security"],
)
def test_one_end_alone_does_not_do(here: Data, refusals: tuple[str, ...], birds: tuple[Bird, Bird, Bird]) -> None:
    """The kernels drop what comes without it, again and again, which is counted."""

    def refused() -> bool:
        return sum(bird.host.refused(counter) for bird in birds for counter in refusals) > 1

    birds[0].start(node(1, session(4, 1, 2, **here), session(6, 1, 2)))
    birds[1].start(node(2, session(4, 2, 1), session(6, 2, 1)))
    wait_for(lambda: birds[0].established() == ["v6_2"])
    wait_for(refused, "a refusal")
    assert birds[0].established() == ["v6_2"]


def test_a_reflector_passes_routes_on(birds: tuple[Bird, Bird, Bird]) -> None:
    clients = (*pair(1, 2, rr_client=True), *pair(1, 3, rr_client=True))
    birds[0].start(node(1, *clients, cluster_id="224.0.0.1"))
    for own in (2, 3):
        birds[own - 1].start(node(own, *pair(own, 1, reflects=True)))
    for version in (4, 6):
        theirs = BLOCKS[version][3]
        wait_for(lambda theirs=theirs, version=version: theirs in birds[1].routes(version))
        assert birds[1].routes(version)[theirs]["gateway"] == address(version, 3)


def test_a_router_gets_and_gives_what_filters_say(birds: tuple[Bird, Bird, Bird]) -> None:
    rules = {"importV4": [{"action": "Accept", "cidr": "203.0.113.0/24", "matchOperator": "Equal"}]}
    communities = (Advertisement(POOLS[4], ("64512:100", "64512:1:2")),)
    inside = family(4, 1, advertisements=communities, services=("10.96.0.0/12",))
    external = session(4, 1, 2, peer=None, remote_as=64513, filters=("default-route",))
    filters = (Filter("default-route", rules),)
    birds[0].start(node(1, external, families=[inside], filters=filters))
    outside = family(4, 2, services=("203.0.113.0/24", "198.51.100.0/24"))
    accept = Filter("all", {"importV4": [{"action": "Accept"}]})
    birds[1].start(
        node(
            2,
            session(4, 2, 1, peer=None, local_as=64513, remote_as=64512, filters=("all",)),
            families=[outside],
            filters=(accept,),
        )
    )
    wait_for(lambda: {"203.0.113.0/24", BLOCKS[4][2]} <= set(birds[0].routes()))
    wait_for(lambda: {"10.96.0.0/12", BLOCKS[4][1]} <= set(birds[1].routes()))
    assert set(birds[0].routes()) == {"203.0.113.0/24", BLOCKS[4][1], BLOCKS[4][2]}
    shown = birds[1].ask(f"show route {BLOCKS[4][1]} all")
    assert "(64512,100)" in shown
    assert "(64512, 1, 2)" in shown
    assert "local_pref: 100" in shown.replace("BGP.", "")


def test_priority_goes_to_nodes_as_local_preference(birds: tuple[Bird, Bird, Bird]) -> None:
    birds[0].start(node(1, session(4, 1, 2), families=[family(4, 1, priority=512)]))
    birds[1].start(node(2, session(4, 2, 1), families=[family(4, 2)]))
    wait_for(lambda: BLOCKS[4][1] in birds[1].routes())
    assert str(2147483647 - 512) in birds[1].ask(f"show route {BLOCKS[4][1]} all")


def test_a_peer_behind_a_gateway(birds: tuple[Bird, Bird, Bird]) -> None:
    first, gateway, far = birds
    gateway.host.ip(f"link add eth1 type veth peer name eth1 netns {far.host.name}")
    gateway.host.batch("addr add 198.51.100.12/24 dev eth1", "link set eth1 up")
    far.host.batch("addr flush dev eth0", "addr add 198.51.100.13/24 dev eth1", "link set eth1 up")
    far.host.ip("route add 192.0.2.0/24 via 198.51.100.12")
    there = {"address": "198.51.100.13", "remote_as": 64513, "peer": None, "ttl_security": 2}
    first.start(node(1, session(4, 1, 3, reachable_by="192.0.2.12", **there), families=[family(4, 1)]))
    here = {"source": "198.51.100.13", "peer": None, "ttl_security": 2}
    far.start(node(3, session(4, 3, 1, local_as=64513, remote_as=64512, **here), families=[family(4, 3)]))
    wait_for(lambda: BLOCKS[4][3] in first.routes())
    assert first.routes()["198.51.100.13"]["gateway"] == "192.0.2.12"
    assert first.routes()[BLOCKS[4][3]]["gateway"] == "192.0.2.12"
    wait_for(lambda: far.routes().get(BLOCKS[4][1], {}).get("gateway") == "198.51.100.12")


def test_a_restart_takes_no_route_from_the_kernel(birds: tuple[Bird, Bird, Bird]) -> None:
    """BIRD 3.1 would delete all of them and put them back, if it merged paths.

    Every release does so with a blackhole of IPv6, within a fraction of a millisecond; no pod is behind that.
    """
    first = birds[0]
    for own, other in ((1, 2), (2, 1)):
        birds[own - 1].start(node(own, *pair(own, other)))
    wait_for(lambda: BLOCKS[4][2] in first.routes() and BLOCKS[6][2] in first.routes(6))
    with contextlib.closing(Monitor(first.host)) as monitor:
        first.restart()
        wait_for(lambda: first.established() == ["v4_2", "v6_2"])
        time.sleep(SCAN)
        gone = [line for line in monitor.until_mark("203.0.113.100") if line.startswith("Deleted")]
    assert [line for line in gone if "proto bird" in line and not line.startswith("Deleted blackhole fd00:")] == []


def test_tunnels(birds: tuple[Bird, Bird, Bird]) -> None:
    """Another device in the tunnel's place: what counts here are the routes."""
    for bird in birds[:2]:
        bird.host.batch("link add tunl0 type veth peer name far", "link set tunl0 up", "link set far up")
    birds[0].start(node(1, session(4, 1, 2), families=[family(4, 1, "IPIP")]))
    birds[1].start(node(2, session(4, 2, 1), families=[family(4, 2, "IPIPCrossSubnet")]))
    wait_for(lambda: BLOCKS[4][2] in birds[0].routes() and BLOCKS[4][1] in birds[1].routes())
    always, same_subnet = birds[0].routes()[BLOCKS[4][2]], birds[1].routes()[BLOCKS[4][1]]
    assert (always["gateway"], always["dev"], always["flags"]) == ("192.0.2.12", "tunl0", ["onlink"])
    assert (same_subnet["gateway"], same_subnet["dev"], same_subnet["flags"]) == ("192.0.2.11", "eth0", [])
    birds[0].host.ip("link del tunl0")
    wait_for(lambda: birds[0].routes().get(BLOCKS[4][2], {}).get("type", "none") != "unicast")


def way(host: Namespace, destination: str) -> str:
    """Return the device by which packets leave to the first address of a block, empty if they are refused."""
    done = host.run(f"ip -o route get {destination.split('/')[0]}", check=False)
    return done.stdout.split(" dev ")[1].split()[0] if done.returncode == 0 else ""


def down_and_up(bird: Bird, device: str, destination: str) -> tuple[list[str], float]:
    """Take a device down for a while; return the ways that packets took meanwhile, and how long the last one stayed."""
    bird.host.ip(f"link set {device} down")
    ways = set()
    for __ in range(15):
        ways.add(way(bird.host, destination))
        time.sleep(0.1)
    began = time.monotonic()
    bird.host.ip(f"link set {device} up")
    wait_for(lambda: destination in bird.routes() and way(bird.host, destination) == device)
    return sorted(ways), time.monotonic() - began


def test_packets_into_a_tunnel_that_is_down_are_refused_before_and_after_a_configure(
    birds: tuple[Bird, Bird, Bird], modules: Modules
) -> None:
    """BIRD 3.1 does not hear of devices of static routes any more, once it was configured again."""
    plan = plans(cluster(documented_pool(cidr=POOLS[4], encapsulation="IPIP")))["node1"]
    for own, other in ((1, 2), (2, 1)):
        host = birds[own - 1].host
        host.batch("link add tunl0 type veth peer name far", "link set tunl0 up", "link set far up")
        host.ip("route add default via 192.0.2.13")
        birds[own - 1].start(node(own, session(4, own, other), families=[family(4, own, "IPIP")]))
    first = birds[0]
    modules.run(first.host.path, "calico_route", {"routes": plan["routes"]})
    wait_for(lambda: way(first.host, BLOCKS[4][2]) == "tunl0")
    for __ in range(2):
        ways, late = down_and_up(first, "tunl0", BLOCKS[4][2])
        assert ways == [""]
        assert late < SCAN + LATE
        assert "Reconfigured" in first.ask("configure")


def test_a_peer_behind_a_gateway_is_reached_again_after_a_configure(birds: tuple[Bird, Bird, Bird]) -> None:
    there = {"address": "198.51.100.13", "remote_as": 64513, "peer": None, "ttl_security": 2}
    first = birds[0]
    first.start(node(1, session(4, 1, 3, reachable_by="192.0.2.12", **there), families=[family(4, 1)]))
    wait_for(lambda: "198.51.100.13" in first.routes())
    assert "Reconfigured" in first.ask("configure")
    __, late = down_and_up(first, "eth0", "198.51.100.13")
    assert late < SCAN + LATE
