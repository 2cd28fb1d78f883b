# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_nat and real packets; the oracle is the source address that the receiver sees."""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from concurrent import futures

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.forging import socket_in
from ansible_collections.podnet.calico.tests.kernel.nat_shown import NAT
from ansible_collections.podnet.calico.tests.kernel.net import Namespace

OUTSIDE = {4: "198.51.100.2", 6: "2001:db8:51::2"}
UPLINK = {4: "198.51.100.1", 6: "2001:db8:51::1"}
POD = {4: "10.244.0.5", 6: "fd00:1::5"}
PLAIN = {4: "10.245.0.6", 6: "fd00:2::6"}  # a pod of a pool that does not masquerade
REMOTE = {4: "10.244.9.5", 6: "fd00:1::9:5"}  # a pod on another host, beyond the tunnel
TUNNEL = {4: "10.244.0.64", 6: "fd00:1::64"}
PORT = 7777


class World(t.NamedTuple):
    """A host with two pods, a network outside, and a tunnel to another host, whose pod is in the namespace remote."""

    host: Namespace
    pod: Namespace
    plain: Namespace
    outside: Namespace
    remote: Namespace


def connect_pod(host: Namespace, pod: Namespace, device: str, addresses: dict[int, str]) -> None:
    host.batch(
        f"link add {device} type veth peer name eth0 netns {pod.name}",
        f"link set {device} addrgenmode none up",
        f"addr add 169.254.1.1/32 dev {device}",
        f"addr add fe80::1/64 dev {device} nodad",  # the kernel asks for neighbours with it (RFC 4861, section 7.2.2)
        f"route add {addresses[4]} dev {device}",
    )
    pod.batch(
        "link set eth0 addrgenmode none up",
        f"addr add {addresses[4]}/32 dev eth0",
        f"addr add {addresses[6]}/128 dev eth0 nodad",
        "addr add fe80::2/64 dev eth0 nodad",
        "route add 169.254.1.1 dev eth0 scope link",
        "route add default via 169.254.1.1 dev eth0",
    )
    pod.ip("-6 route add default via fe80::1 dev eth0")
    host.ip(f"-6 route add {addresses[6]} dev {device}")


def connect_host(host: Namespace, other: Namespace, device: str, near: dict[int, str], far: dict[int, str]) -> None:
    host.batch(
        f"link add {device} type veth peer name eth0 netns {other.name}",
        f"link set {device} addrgenmode none up",
        f"addr add {near[4]} dev {device}",
        *(f"addr add {address} dev {device} nodad" for address in (near[6], "fe80::1/64")),
    )
    other.batch(
        "link set eth0 addrgenmode none up",
        f"addr add {far[4]} dev eth0",
        *(f"addr add {address} dev eth0 nodad" for address in (far[6], "fe80::2/64")),
    )


@pytest.fixture
def world(host: Namespace, new_namespace: t.Callable[[str], Namespace]) -> World:
    names = ("pod", "plain", "outside", "remote")
    world = World(host, *(new_namespace(name) for name in names))
    host.run("sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    connect_pod(host, world.pod, "cali1", POD)
    connect_pod(host, world.plain, "cali2", PLAIN)
    uplink = {4: f"{UPLINK[4]}/24", 6: f"{UPLINK[6]}/64"}
    connect_host(host, world.outside, "up0", uplink, {4: f"{OUTSIDE[4]}/24", 6: f"{OUTSIDE[6]}/64"})
    world.outside.ip(f"route add default via {UPLINK[4]}")
    world.outside.ip(f"-6 route add default via {UPLINK[6]}")
    tunnel = {4: f"{TUNNEL[4]}/32", 6: f"{TUNNEL[6]}/128"}
    connect_host(host, world.remote, "vxlan.calico", tunnel, {4: f"{REMOTE[4]}/32", 6: f"{REMOTE[6]}/128"})
    for version in (4, 6):
        host.ip(f"-{version} route add {REMOTE[version]} dev vxlan.calico")
        world.remote.ip(f"-{version} route add default via {TUNNEL[version]} dev eth0 onlink")
    return world


def udp(namespace: Namespace, address: str, port: int = 0) -> socket.socket:
    """Return a socket that lives in a namespace, bound to an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket_in(namespace, family, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(60)
    return made


def source_seen(sender: Namespace, source: str, receiver: Namespace, destination: str) -> str:
    """Send a packet, let it be answered, and return the source address that the receiver saw."""
    with udp(receiver, destination, PORT) as far, udp(sender, source) as near:
        near.sendto(b"question", (destination, PORT))
        question, peer = far.recvfrom(64)
        far.sendto(b"answer", peer)
        answer, __ = near.recvfrom(64)
    assert (question, answer) == (b"question", b"answer")
    return str(peer[0])


@pytest.mark.parametrize("version", [4, 6])
def test_pods_leave_with_the_hosts_address_and_meet_with_their_own(
    world: World, run_module: RunModule, version: int
) -> None:
    pod, plain, outside, remote = POD[version], PLAIN[version], OUTSIDE[version], REMOTE[version]
    assert source_seen(world.pod, pod, world.outside, outside) == pod
    assert run_module("calico_nat", NAT)["changed"]
    assert source_seen(world.pod, pod, world.outside, outside) == UPLINK[version]
    assert source_seen(world.pod, pod, world.plain, plain) == pod
    assert source_seen(world.pod, pod, world.remote, remote) == pod
    assert source_seen(world.plain, plain, world.pod, pod) == plain
    assert source_seen(world.plain, plain, world.outside, outside) == plain
    assert source_seen(world.pod, pod, world.host, UPLINK[version]) == pod
    assert source_seen(world.outside, outside, world.pod, pod) == outside
    assert run_module("calico_nat", {**NAT, "exclude": [outside]})["changed"]
    assert source_seen(world.pod, pod, world.outside, outside) == pod
    assert run_module("calico_nat", {"state": "absent"})["changed"]
    assert source_seen(world.pod, pod, world.outside, outside) == pod


@pytest.mark.parametrize("version", [4, 6])
def test_the_host_enters_a_tunnel_with_the_tunnels_address(world: World, run_module: RunModule, version: int) -> None:
    remote, uplink, tunnel = REMOTE[version], UPLINK[version], TUNNEL[version]
    run_module("calico_nat", {**NAT, "tunnels": []})
    assert source_seen(world.host, uplink, world.remote, remote) == uplink
    run_module("calico_nat", NAT)
    assert source_seen(world.host, uplink, world.remote, remote) == tunnel
    assert source_seen(world.host, tunnel, world.remote, remote) == tunnel
    assert source_seen(world.pod, POD[version], world.remote, remote) == POD[version]
    assert source_seen(world.plain, PLAIN[version], world.remote, remote) == PLAIN[version]
    assert source_seen(world.host, TUNNEL[version], world.outside, OUTSIDE[version]) == uplink


class Stream:
    """Packets from a pod to the outside, each of a connection of its own; seen: the source addresses that arrive.

    A packet that gets lost is no matter here, so nobody waits for an answer; if none arrives any more, it is an error.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.seen: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Send until it is ended."""
        silence = 0
        with udp(self._world.outside, OUTSIDE[4], PORT) as far:
            far.settimeout(1)
            while not self.ended.is_set():
                with udp(self._world.pod, POD[4]) as near:
                    near.sendto(b"packet", (OUTSIDE[4], PORT))
                try:
                    self.seen.append(far.recvfrom(64)[1][0])
                    silence = 0
                except socket.timeout:
                    silence += 1
                    assert silence < 30, "no packet arrives any more"


def test_no_packet_escapes_while_the_table_is_changed(world: World, run_module: RunModule) -> None:
    run_module("calico_nat", NAT)
    stream = Stream(world)
    with futures.ThreadPoolExecutor(1) as pool:
        sender = pool.submit(stream.run)
        try:
            for number in range(10):
                other = {"exclude": [f"192.0.2.{number}"], "tunnels": [f"tunl{number}", "vxlan.calico"][number % 2 :]}
                result = run_module("calico_nat", {**NAT, **other})
                assert result.get("changed"), result
                arrived = len(stream.seen)
                while len(stream.seen) == arrived and not sender.done():  # with the new table
                    time.sleep(0.001)
        finally:
            stream.ended.set()
        sender.result()
    assert set(stream.seen) == {UPLINK[4]}
