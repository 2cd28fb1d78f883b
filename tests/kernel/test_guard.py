# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of calico_nat against forged packets; the oracle is a socket that gets them, or does not.

This kernel may lack ipip, so packets of IP protocol 4 are looked for where they arrive: tests/vm has the tunnel.
"""

from __future__ import annotations

import socket
import threading
import typing as t
from concurrent import futures

import pytest

from ansible_collections.podnet.calico.tests.kernel.forging import send, socket_in
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.test_nat_packets import connect_pod
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.tools.forged import IPIP, ip, router_advertisement, udp, vxlan

PORT = 7777
NODES = {"a": {4: "192.0.2.11", 6: "2001:db8::11"}, "b": {4: "192.0.2.12", 6: "2001:db8::12"}}
STRANGER = {4: "192.0.2.13", 6: "2001:db8::13"}
POD = {4: "10.244.0.5", 6: "fd00:1::5"}  # on node a
CONTAINER = {4: "10.244.0.6", 6: "fd00:1::6"}  # on node a, of the CNI plugin ptp
REMOTE = {4: "10.244.9.5", 6: "fd00:1::9:5"}  # on node b
ELSEWHERE = {4: "10.244.7.7", 6: "fd00:1::7:7"}  # on neither
OUTSIDE = {4: "198.51.100.1", 6: "2001:db8:51::1"}
VTEPS = {"a": {4: "10.244.0.0", 6: "fd00:1::"}, "b": {4: "10.244.9.0", 6: "fd00:1::9:0"}}
DEVICES = {4: "vxlan.calico", 6: "vxlan-v6.calico"}
MACS = {"a": "66:00:00:00:00:0a", "b": "66:00:00:00:00:0b"}
NAT = {"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16", "fd00:1::/64"]}
CALI, VETH, UNKNOWN = "cali1", "veth1a2b3c4d", "cali9"


def guarded(node: str) -> Result:
    other = "b" if node == "a" else "a"
    return {
        **NAT,
        "guard": {"nodes": [*NODES[other].values()], "encapsulations": ["ipip", "vxlan"], "uplinks": ["eth0"]},
    }


class World(t.NamedTuple):
    """Two nodes with a VXLAN of each IP version, a stranger on their underlay, and pods."""

    nodes: dict[str, Namespace]
    stranger: Namespace
    pod: Namespace
    container: Namespace
    unknown: Namespace
    remote: Namespace
    modules: Modules

    def nat(self, options: t.Callable[[str], Result]) -> list[Result]:
        """Run calico_nat on both nodes."""
        done = [self.modules.run(node.path, "calico_nat", options(name)) for name, node in self.nodes.items()]
        assert not any(result.get("failed") for result in done), done
        return done


def _join(lan: Namespace, namespace: Namespace, port: str, addresses: dict[int, str]) -> None:
    lan.batch(
        f"link add name {port} type veth peer name eth0 netns {namespace.name}",
        f"link set dev {port} addrgenmode none master br0 up",
    )
    namespace.batch(
        "link set eth0 addrgenmode none up",
        f"addr add {addresses[4]}/24 dev eth0",
        f"addr add {addresses[6]}/64 dev eth0 nodad",
    )


def _tunnel(node: Namespace, name: str, other: str) -> None:
    for version, device in DEVICES.items():
        far = VTEPS[other][version]
        node.batch(
            f"link add {device} address {MACS[name]} type vxlan id 4096 local {NODES[name][version]} dev eth0 "
            f"dstport 4789 nolearning",
            f"link set {device} addrgenmode none up",
            f"addr add {VTEPS[name][version]}/{32 if version == 4 else 128} dev {device}",
            f"neigh add {far} lladdr {MACS[other]} dev {device} nud permanent",
        )
        node.run(f"bridge fdb add {MACS[other]} dst {NODES[other][version]} dev {device}")
    block, block6 = ("10.244.9.0/26", "fd00:1::9:0/122") if other == "b" else ("10.244.0.0/26", "fd00:1::/122")
    node.ip(f"route add {block} via {VTEPS[other][4]} dev vxlan.calico onlink")
    node.ip(f"-6 route add {block6} via {VTEPS[other][6]} dev vxlan-v6.calico onlink")


@pytest.fixture
def world(new_namespace: t.Callable[[str], Namespace], modules: Modules) -> World:
    lan = new_namespace("lan")
    lan.batch("link add name br0 type bridge", "link set dev br0 addrgenmode none up")
    nodes = {name: new_namespace(name) for name in NODES}
    found = World(nodes, *(new_namespace(word) for word in ("str", "pod", "ctr", "unk", "rem")), modules)
    for name, node in nodes.items():
        node.run("sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.default.rp_filter=0")
        node.run("sysctl -w net.ipv4.conf.all.rp_filter=0")
        _join(lan, node, name, NODES[name])
        _tunnel(node, name, "b" if name == "a" else "a")
    _join(lan, found.stranger, "s", STRANGER)
    connect_pod(nodes["a"], found.pod, CALI, POD)
    connect_pod(nodes["a"], found.container, VETH, CONTAINER)
    connect_pod(nodes["b"], found.remote, CALI, REMOTE)
    connect_pod(nodes["a"], found.unknown, UNKNOWN, ELSEWHERE)
    for version, address in ELSEWHERE.items():
        nodes["a"].ip(f"-{version} route del {address} dev {UNKNOWN}")
    return found


Attack = t.Tuple[Namespace, bytes]  # who sends what


class Mailbox:
    """What arrives at a pod (UDP), and at its node by IP protocol 4, until packets that are well and sent after it.

    at: the node; an honest packet comes from the pod of the other one.
    """

    def __init__(self, world: World, version: int, at: str = "b") -> None:
        ends = {"a": (world.pod, POD[version]), "b": (world.remote, REMOTE[version])}
        other = "b" if at == "a" else "a"
        (receiver, self._address), (self._honest, self._source) = ends[at], ends[other]
        self._near, self._far, self._other = NODES[other][4], NODES[at][4], world.nodes[other]
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._pod = socket_in(receiver, family, socket.SOCK_DGRAM)
        self._pod.bind((self._address, PORT))
        self._node = socket_in(world.nodes[at], socket.AF_INET, socket.SOCK_RAW, IPIP)
        for each in (self._pod, self._node):
            each.settimeout(60)

    def close(self) -> None:
        self._pod.close()
        self._node.close()

    def after(self, attack: Attack) -> list[bytes]:
        """Return what arrives of a forged packet."""
        sender, forged = attack
        send(sender, "eth0", forged)
        send(self._honest, "eth0", udp(self._source, self._address, PORT, b"honest"))
        send(self._other, "eth0", ip(self._near, self._far, IPIP, ip(self._near, self._far, 253, b"honest")))
        return [*self._until(self._pod), *self._until(self._node)]

    def _until(self, box: socket.socket) -> t.Iterator[bytes]:
        while True:
            data = box.recv(2048)
            if data.endswith(b"honest"):
                return
            yield data[-6:]


def attacks(world: World, version: int) -> dict[str, Attack]:
    """Return who sends what, by what it is; none of it may get to the pod on node b, or to the node's tunnel."""
    target, node = REMOTE[version], NODES["b"][version]
    found: dict[str, Attack] = {}
    for name, sender, own in (
        ("pod", world.pod, POD[version]),
        ("container", world.container, CONTAINER[version]),
        ("device of nobody", world.unknown, ELSEWHERE[version]),
    ):
        sources = {"a pod of another node": ELSEWHERE[version], "the outside": OUTSIDE[version]}
        sources["a pod beside it"] = CONTAINER[version] if name == "pod" else POD[version]
        for words, source in sources.items():
            found[f"{name}, source of {words}"] = (sender, udp(source, target, PORT, b"forged"))
        inner = udp(ELSEWHERE[version], target, PORT, b"forged")
        sources = {"its own address": own}
        if version == 6:  # an IPv4 packet with an address of the host is dropped by the kernel itself
            sources["the node's address"] = NODES["a"][version]
        for words, source in sources.items():
            found[f"{name}, VXLAN from {words}"] = (sender, vxlan(source, node, MACS["b"], inner))
        if version == 4:
            found[f"{name}, IPIP"] = (sender, ip(own, node, IPIP, ip(own, target, 253, b"forged")))
    inner = udp(ELSEWHERE[version], target, PORT, b"forged")
    found["stranger, VXLAN"] = (world.stranger, vxlan(STRANGER[version], node, MACS["b"], inner))
    if version == 4:
        found["stranger, IPIP"] = (world.stranger, ip(STRANGER[4], node, IPIP, ip(POD[4], target, 253, b"forged")))
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_nothing_forged_is_delivered(world: World, version: int) -> None:
    world.nat(lambda node: NAT)
    world.remote.reach(POD[version])
    for namespace in (world.stranger, world.pod, world.container):
        namespace.reach(NODES["b"][version])
    tried = attacks(world, version)
    box = Mailbox(world, version)
    try:
        assert {name: box.after(attack) for name, attack in tried.items()} == {name: [b"forged"] for name in tried}
        assert all(result["changed"] for result in world.nat(guarded))
        assert {name: box.after(attack) for name, attack in tried.items()} == {name: [] for name in tried}
    finally:
        box.close()
    assert not any(result["changed"] for result in world.nat(guarded))


@pytest.mark.parametrize("version", [4, 6])
def test_nothing_forged_gets_into_the_own_node(world: World, version: int) -> None:
    """A container that sends to its own node's tunnel, from where nobody is; a stranger that sends to everybody."""
    tried = {}
    inner = udp(ELSEWHERE[version], POD[version], PORT, b"forged")
    for words, source in (("the outside", OUTSIDE[version]), ("a stranger", STRANGER[version])):
        packet = vxlan(source, NODES["a"][version], MACS["a"], inner)
        tried[f"container, VXLAN from {words}"] = (world.container, packet)
    everybody = ["192.0.2.255", "255.255.255.255"] if version == 4 else ["ff02::1"]
    for target in everybody:
        tried[f"stranger, VXLAN to {target}"] = (world.stranger, vxlan(STRANGER[version], target, MACS["a"], inner))
    world.nat(lambda node: NAT)
    world.remote.reach(POD[version])
    for namespace in (world.stranger, world.container):
        namespace.reach(NODES["a"][version])
    world.nodes["a"].run("sysctl -w net.ipv4.conf.veth1a2b3c4d.rp_filter=0")
    box = Mailbox(world, version, at="a")
    try:
        assert {name: box.after(attack) for name, attack in tried.items()} == {name: [b"forged"] for name in tried}
        world.nat(guarded)
        assert {name: box.after(attack) for name, attack in tried.items()} == {name: [] for name in tried}
    finally:
        box.close()


def test_no_pod_gets_to_its_hosts_loopback(world: World) -> None:
    """Devices of pods take packets to 127.0.0.0/8 (route_localnet), for ports that are published there."""
    node = world.nodes["a"]
    node.run("sysctl -w net.ipv4.conf.cali1.route_localnet=1 net.ipv4.conf.veth1a2b3c4d.route_localnet=1")
    with socket_in(node, socket.AF_INET, socket.SOCK_DGRAM) as box:
        box.bind(("", PORT))
        box.settimeout(60)
        for options, arrived in ((lambda name: NAT, [b"forged", b"forged"]), (guarded, [])):
            world.nat(options)
            for sender, source in ((world.pod, POD[4]), (world.container, CONTAINER[4])):
                send(sender, "eth0", udp(source, "127.0.0.1", PORT, b"forged"))
            send(world.pod, "eth0", udp(POD[4], NODES["a"][4], PORT, b"honest"))
            assert [*iter(lambda: box.recv(64), b"honest")] == arrived


@pytest.mark.parametrize("version", [4, 6])
def test_nothing_forged_gets_through_a_published_port(world: World, version: int) -> None:
    """Before its destination is translated, a container's packet is one to its node."""
    host, name = NODES["a"][version], {4: "ip", 6: "ip6"}[version]
    target = POD[4] if version == 4 else f"[{POD[6]}]"
    node = world.nodes["a"]
    node.run(f"nft add table {name} published")
    node.run(f"nft add chain {name} published pre {{ type nat hook prerouting priority dstnat ; }}")
    node.run(f"nft add rule {name} published pre {name} daddr {host} udp dport 8080 dnat to {target}:{PORT}")
    world.nat(lambda node: NAT)
    world.remote.reach(POD[version])
    world.container.reach(host)
    box = Mailbox(world, version, at="a")
    forged = (world.container, udp(OUTSIDE[version], host, 8080, b"forged"))
    well = (world.container, udp(CONTAINER[version], host, 8080, b"nobody"))
    try:
        assert box.after(forged) == [b"forged"]
        world.nat(guarded)
        assert (box.after(forged), box.after(well)) == ([], [b"nobody"])
    finally:
        box.close()


def test_rules_in_another_order_are_put_right(world: World) -> None:
    world.nat(guarded)
    node = world.nodes["a"]
    listed = node.run("nft -a list chain inet podnet_calico prerouting").stdout
    (line,) = [line for line in listed.splitlines() if "VXLAN of nodes IPv4" in line]
    node.run(f"nft delete rule inet podnet_calico prerouting handle {line.rpartition(' ')[2]}")
    node.run(f"nft add rule inet podnet_calico prerouting {line.strip().partition(' # ')[0]}")
    done, __ = world.nat(guarded)
    assert [(each["action"], each["name"]) for each in done["changes"]] == [("replace", "rule VXLAN of nodes IPv4")]
    world.remote.reach(POD[4])
    assert not any(result["changed"] for result in world.nat(guarded))


def test_a_pod_does_not_get_the_tunnel_of_its_node(world: World) -> None:
    """Masquerading would make the node's own connection of a pod's packet, and give the pod all answers."""
    world.nat(lambda node: NAT)
    near, far = NODES["a"][4], NODES["b"][4]
    world.pod.reach(far)
    with socket_in(world.nodes["a"], socket.AF_INET, socket.SOCK_RAW, IPIP) as box:
        box.settimeout(60)
        send(world.pod, "eth0", ip(POD[4], far, IPIP, ip(POD[4], REMOTE[4], 253, b"taken")))
        send(world.nodes["b"], "eth0", ip(far, near, IPIP, ip(REMOTE[4], POD[4], 253, b"honest")))
        assert box.recv(2048).endswith(b"honest")


def test_tunnels_are_not_tracked(world: World) -> None:
    def tracked(node: Namespace) -> int:
        return int(node.sysctl("net/netfilter/nf_conntrack_count"))

    for options, entries in ((guarded, 0), (lambda node: NAT, 1)):
        world.nat(options)
        world.nodes["a"].run("sysctl -w net.netfilter.nf_conntrack_udp_timeout=600")
        before = tracked(world.nodes["a"])
        for number in range(20):
            send(
                world.nodes["a"],
                "eth0",
                vxlan(NODES["a"][4], NODES["b"][4], MACS["b"], udp(POD[4], REMOTE[4], number + 1, b"")),
            )
        assert tracked(world.nodes["a"]) - before == entries


def test_a_pod_gives_its_host_no_route(
    host: Namespace, new_namespace: t.Callable[[str], Namespace], modules: Modules
) -> None:
    """A host without IPv6 in its pools does not forward it, and would believe advertisements."""
    senders = {"cali1": new_namespace("pod"), "veth1a2b3c4d": new_namespace("ctr")}
    for number, (device, pod) in enumerate(senders.items(), 5):
        connect_pod(host, pod, device, {4: f"10.244.0.{number}", 6: f"fd00:1::{number}"})
        host.run(f"sysctl -w net.ipv6.conf.{device}.accept_ra=1 net.ipv6.conf.{device}.accept_dad=0")
    for guard, routes in ((guarded("a")["guard"], 0), (None, 2)):
        modules.run(host.path, "calico_nat", {"masquerade": [], "pools": ["10.244.0.0/16"], "guard": guard})
        for pod in senders.values():
            send(pod, "eth0", router_advertisement("fe80::2"))
            pod.reach("fe80::1%eth0")  # answered after the advertisement was looked at
        assert len(host.show("-6 route show default")) == routes


class Stream:
    """Numbered packets from the pod on node a to that on node b, as fast as they are seen to arrive."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.arrived = 0
        self.ended = threading.Event()

    def go_on(self, sender: futures.Future[None]) -> None:
        """Wait until one more packet has arrived."""
        seen = self.arrived
        wait_for(lambda: self.arrived > seen or sender.done(), "a packet")

    def run(self) -> None:
        """Send until it is ended; a packet that does not arrive is an error."""
        with socket_in(self._world.remote, socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.bind((REMOTE[4], PORT))
            far.settimeout(20)
            with socket_in(self._world.pod, socket.AF_INET, socket.SOCK_DGRAM) as near:
                while not self.ended.is_set():
                    near.sendto(b"%d" % self.arrived, (REMOTE[4], PORT))
                    assert far.recv(64) == b"%d" % self.arrived
                    self.arrived += 1


def with_more(strangers: list[str]) -> t.Callable[[str], Result]:
    """Return the options of a cluster that has more nodes."""

    def options(node: str) -> Result:
        found = guarded(node)
        return {**found, "guard": {**found["guard"], "nodes": [*found["guard"]["nodes"], *strangers]}}

    return options


def test_no_packet_of_others_is_lost_while_the_guard_changes(world: World) -> None:
    world.nat(lambda node: NAT)
    world.remote.reach(POD[4])
    stream = Stream(world)
    with futures.ThreadPoolExecutor(1) as pool:
        sender = pool.submit(stream.run)
        try:
            for number in range(8):
                more = with_more([f"192.0.2.{number + 100 + each}" for each in range(50)])
                for options in (lambda node: NAT, guarded, more):
                    world.nat(options)
                    stream.go_on(sender)
        finally:
            stream.ended.set()
        sender.result()
