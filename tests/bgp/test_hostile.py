# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ExaBGP as the hostile peer: as an external one, and in the place of a node of the mesh.

Nodes 1 and 2 are real. ExaBGP has the address of node 3 ("impostor"), and is an external peer of node 1, which names no
filter for it, and of node 2, whose filter accepts everything ("outsider"). For node 1 it is also a router in the AS of
the nodes ("insider").
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import re
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.bgp.nodes import (
    AS,
    Node,
    all_own,
    bgp_plans,
    dual,
    own,
    peer,
    session_name,
)
from ansible_collections.podnet.calico.tests.bgp.routers import ExaBgp
from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document

NODES = {
    "node1": {4: "192.0.2.11", 6: "2001:db8::11"},
    "node2": {4: "192.0.2.12", 6: "2001:db8::12"},
    "node3": {4: "192.0.2.13", 6: "2001:db8::13"},
}
OUTSIDER, OUTSIDE_AS = {4: "192.0.2.103", 6: "2001:db8::103"}, 65666
INSIDER = {4: "192.0.2.104", 6: "2001:db8::104"}
VERSIONS = pytest.mark.parametrize("version", [4, 6])
LIARS = pytest.mark.parametrize("liar", ["impostor", "outsider"])
NETWORKS = {4: ipaddress.ip_network("10.244.0.0/16"), 6: ipaddress.ip_network("fd00:244::/48")}
# Blocks that nobody has, in which honest announcements follow the lies; the many routes are in another quarter.
FREE = {4: ipaddress.ip_network("10.244.192.0/18"), 6: ipaddress.ip_network("fd00:244:0:0:fffe::/80")}
IMPORT_LIMIT = 10000


def _neighbor(local: str, remote: str, asn: int) -> str:
    family, number = ("ipv6", local.rpartition(":")[2]) if ":" in local else ("ipv4", local.rpartition(".")[2])
    ends = f"local-address {local}; local-as {asn}; peer-as {AS};"
    return (
        f"neighbor {remote} {{ router-id 192.0.2.{number}; {ends}\n"
        f"  family {{ {family} unicast; }}\n  api {{ processes [ orders ]; }}\n}}\n"
    )


def _documents() -> list[Document]:
    nodes = [dual(name, f"{address[4]}/24", f"{address[6]}/64") for name, address in NODES.items()]
    all_in = {f"importV{version}": [{"action": "Accept"}] for version in (4, 6)}
    peers = [
        peer(f"{node}-{version}", node=node, peerIP=OUTSIDER[version], asNumber=OUTSIDE_AS, **more)
        for node, more in (("node1", {}), ("node2", {"filters": ["all"]}))
        for version in (4, 6)
    ]
    peers += [peer(f"insider-{version}", node="node1", peerIP=INSIDER[version], asNumber=AS) for version in (4, 6)]
    return [*nodes, document("BGPFilter", "all", **all_in), *peers]


def _free(version: int, index: int) -> str:
    """Return one of the blocks that nobody has."""
    return f"{FREE[version][64 * index]}/{122 if version == 6 else 26}"


class Scene:
    """All that is on the wire, with ways to lie and to look at what became of it."""

    def __init__(self, site: Site) -> None:
        self.plans = bgp_plans(*_documents())
        self.liars = {"impostor": self._liar(site, "impostor", NODES["node3"], AS)}
        self.liars["outsider"] = self._liar(site, "outsider", OUTSIDER, OUTSIDE_AS)
        self.liars["insider"] = self._liar(site, "insider", INSIDER, AS, ("node1",))
        self.nodes = {
            name: Node(site, name, lan=f"{NODES[name][4]}/24 {NODES[name][6]}/64") for name in ("node1", "node2")
        }
        for name, node in self.nodes.items():
            node.configure(self.plans[name])
            node.start()
        for name, node in self.nodes.items():
            node.wait_up(*self.peers(name))
        self._marks = {version: itertools.count(1) for version in (4, 6)}

    @staticmethod
    def _liar(
        site: Site, name: str, addresses: dict[int, str], asn: int, nodes: t.Sequence[str] = ("node1", "node2")
    ) -> ExaBgp:
        liar = ExaBgp(site, name, lan=f"{addresses[4]}/24 {addresses[6]}/64")
        victims = [NODES[node] for node in nodes]
        liar.start("".join(_neighbor(addresses[v], victim[v], asn) for victim in victims for v in (4, 6)))
        return liar

    @staticmethod
    def peers(name: str) -> list[str]:
        """Return the addresses of all peers of a node."""
        others = [
            *(NODES[other] for other in NODES if other != name),
            OUTSIDER,
            *([INSIDER] if name == "node1" else []),
        ]
        return [address for other in others for address in other.values()]

    def honest(self, name: str, version: int) -> set[str]:
        """Return what belongs into a node's kernel while nobody lies: its blocks, and that of the other real node."""
        return all_own(self.plans[name], version) | {own(self.plans[node], version) for node in self.nodes}

    def mark(self, version: int) -> str:
        """Return a block that was not announced before."""
        return _free(version, next(self._marks[version]))

    def tell(self, liar: str, node: str, version: int, *routes: str, verb: str = "announce") -> None:
        """Have a liar announce routes ("PREFIX next-hop ... ATTRIBUTES") to a node, or withdraw them."""
        address = NODES[node][version]
        self.liars[liar].say(*(f"neighbor {address} {verb} route {route}" for route in routes))

    def received(self, liar: str, node: str, version: int) -> int:
        """Return how many announcements a node's session with a liar has had; BIRD counts as withdrawals what it
        takes for that (RFC 7606), and what has gone through this node before."""
        addresses = {"impostor": NODES["node3"], "outsider": OUTSIDER, "insider": INSIDER}[liar]
        shown = self.nodes[node].ask(f"show protocols all {session_name(addresses[version])}")
        return sum(map(int, re.findall(r"Import (?:updates|withdraws): +(\d+)", shown)))

    @contextlib.contextmanager
    def told(self, liar: str, node: str, version: int, routes: t.Sequence[str]) -> t.Iterator[set[str]]:
        """Have lies told and then the truth, and wait until that has arrived; yield what honestly is in the kernel.

        No session and no real block suffers meanwhile, and when all is withdrawn all is as it was.
        """
        true = f"{self.mark(version)} next-hop self"
        before, kernel = self.received(liar, node, version), self.nodes[node].kernel
        try:
            self.tell(liar, node, version, *routes)
            self.tell(liar, node, version, true)
            wait_for(lambda: _shown(true) in kernel(version), f"{true} after the lies")
            assert self.received(liar, node, version) - before == len(routes) + 1
            yield self.honest(node, version) | {_shown(true)}
            _untouched(self, node, version)
            self.unharmed()
        finally:
            self.tell(liar, node, version, *routes, true, verb="withdraw")
        wait_for(lambda: set(kernel(version)) == self.honest(node, version), "the withdrawal")

    def unharmed(self) -> None:
        """All sessions are the same ones as before."""
        for name, node in self.nodes.items():
            assert node.established() == {session_name(address) for address in self.peers(name)}
            assert node.same_as(self.since[name])

    def settle(self) -> None:
        """Remember since when the sessions are up."""
        self.since = {name: node.since() for name, node in self.nodes.items()}


@pytest.fixture(scope="module")
def calm(site: Site) -> t.Iterator[Scene]:
    """Return the scene with all sessions up."""
    made = Scene(site)
    yield made
    for liar in made.liars.values():
        liar.stop()


@pytest.fixture
def scene(calm: Scene) -> Scene:
    """Return the scene before anybody lies, and with the routes of the real nodes in place."""
    for name, node in calm.nodes.items():
        node.wait_up(*calm.peers(name))
        for version in (4, 6):
            wait_for(
                lambda node=node, name=name, version=version: set(node.kernel(version)) == calm.honest(name, version),
                f"calm on {name}",
            )
    calm.settle()
    return calm


def _lie(
    scene: Scene, liar: str, node: str, version: int, routes: t.Sequence[str], accepted: t.Collection[str] = ()
) -> None:
    """Have lies told; exactly what is accepted of them gets into the kernel."""
    kernel = scene.nodes[node].kernel
    with scene.told(liar, node, version, routes) as honest:
        wanted = honest | set(accepted)
        wait_for(lambda: wanted <= set(kernel(version)), f"{wanted}")
        assert set(kernel(version)) == wanted


def _shown(route: str) -> str:
    """Return a route's prefix as `ip` shows it."""
    network = ipaddress.ip_network(route.split()[0])
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _untouched(scene: Scene, node: str, version: int) -> None:
    """The node's own blocks end at itself, and those of the other real node lead there."""
    kernel = scene.nodes[node].kernel(version)
    for block in all_own(scene.plans[node], version):
        assert kernel[block]["type"] == "blackhole"
    other = "node2" if node == "node1" else "node1"
    assert kernel[own(scene.plans[other], version)]["gateway"] == NODES[other][version]


def _inside(block: str) -> tuple[str, str]:
    """Return an address of a block and half of the block, as prefixes."""
    network = ipaddress.ip_network(block)
    return f"{network[3]}/{network.max_prefixlen}", str(next(network.subnets()))


OUTSIDE = {
    4: ("203.0.113.0/24", "0.0.0.0/0", "192.0.2.0/28", "192.0.2.12/32", "10.96.0.0/16", "10.246.0.0/26", "10.0.0.0/8"),
    6: ("2001:db8:99::/48", "::/0", "2001:db8::/80", "2001:db8::12/128", "fd00:96::/112", "fd00::/16"),
}


@VERSIONS
@LIARS
def test_prefixes_outside_of_the_pools(scene: Scene, liar: str, version: int) -> None:
    _lie(scene, liar, "node1", version, [f"{prefix} next-hop self" for prefix in OUTSIDE[version]])


@VERSIONS
@LIARS
@pytest.mark.parametrize("node", ["node1", "node2"])
def test_own_blocks_and_what_is_in_them(scene: Scene, liar: str, node: str, version: int) -> None:
    """Node 2 accepts everything from the outsider: its blocks stay its own all the same."""
    prefixes = [prefix for block in all_own(scene.plans[node], version) for prefix in (block, *_inside(block))]
    _lie(scene, liar, node, version, [f"{prefix} next-hop self local-preference 4294967295" for prefix in prefixes])


@VERSIONS
@LIARS
def test_prefixes_that_are_larger_than_blocks(scene: Scene, liar: str, version: int) -> None:
    pool = NETWORKS[version]
    lengths = (pool.prefixlen - 1, pool.prefixlen, pool.prefixlen + 4, 25 if version == 4 else 121)
    over = [pool.supernet(), *(next(pool.subnets(new_prefix=length)) for length in lengths[1:])]
    _lie(scene, liar, "node1", version, [f"{prefix} next-hop self" for prefix in over])


@VERSIONS
def test_a_node_cannot_send_packets_to_another_one(scene: Scene, version: int) -> None:
    """A node of the mesh announces what is its own: the next hop is the sender, or the route is not accepted."""
    theirs = own(scene.plans["node2"], version)
    hops = (NODES["node2"][version], NODES["node1"][version], OUTSIDER[version])
    routes = [f"{_free(version, 200 + i)} next-hop {hop}" for i, hop in enumerate(hops)]
    _lie(scene, "impostor", "node1", version, [*routes, f"{theirs} next-hop {OUTSIDER[version]}"])


@VERSIONS
@pytest.mark.parametrize("liar", ["insider", "outsider"])
def test_a_router_cannot_take_pods_from_a_node(scene: Scene, liar: str, version: int) -> None:
    """Parts of another node's block are not taken from outside, and of the whole the node's own announcement wins."""
    theirs = own(scene.plans["node2"], version)
    routes = [f"{prefix} next-hop self local-preference 4294967295" for prefix in (theirs, *_inside(theirs))]
    _lie(scene, liar, "node1", version, routes)


def _blocks(start: int, count: int) -> list[str]:
    return [_free(4, start + i) for i in range(count)]


@LIARS
def test_long_as_paths(scene: Scene, liar: str) -> None:
    prefixes = _blocks(100, 4)
    routes = [
        f"{prefix} next-hop self as-path [ {' '.join(['65099'] * length)} ]"
        for prefix, length in zip(prefixes, (254, 255, 256, 900))
    ]
    _lie(scene, liar, "node1", 4, routes, [_shown(prefix) for prefix in prefixes])


@LIARS
def test_own_as_in_the_path(scene: Scene, liar: str) -> None:
    first = [] if liar == "impostor" else [OUTSIDE_AS]
    paths = ([*first, AS], [*first, 65099, AS, 65099])
    routes = [
        f"{prefix} next-hop self as-path [ {' '.join(map(str, path))} ]" for prefix, path in zip(_blocks(110, 2), paths)
    ]
    _lie(scene, liar, "node1", 4, routes)


NOWHERE = ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", NODES["node1"][4])  # noqa: S104


@LIARS
def test_next_hops_that_lead_nowhere(scene: Scene, liar: str) -> None:
    """A node of the mesh is not believed; what an external peer says of free addresses leads nowhere, as it says."""
    prefixes = _blocks(120, len(NOWHERE))
    routes = [f"{prefix} next-hop {hop}" for prefix, hop in zip(prefixes, NOWHERE)]
    dead = {_shown(prefix) for prefix in prefixes[1:]} if liar == "outsider" else set()
    kernel = scene.nodes["node1"].kernel

    def kinds() -> set[str]:
        return {kernel(4)[prefix]["type"] for prefix in dead}

    with scene.told(liar, "node1", 4, routes) as wanted:
        wait_for(lambda: wanted | dead <= set(kernel(4)), f"{dead}")
        assert set(kernel(4)) == wanted | dead
        assert kinds() <= {"unreachable"}


# Attributes as type of attribute, flags and contents, and the liars from which BIRD takes a route that has them.
MALFORMED = {
    "unknown, optional": ("0x99 0xC0 0x0102", {"impostor", "outsider"}),
    "unknown, but said to be well known": ("0x99 0x40 0x0102", set()),
    "origin 7": ("0x01 0x40 0x07", set()),
    "AS path that ends in the middle": ("0x02 0x40 0x0207", set()),
    "MED of one byte": ("0x04 0x80 0x01", set()),
    "local preference of one byte": ("0x05 0x40 0x01", {"outsider"}),  # ignored where it has no meaning
    "communities of three bytes": ("0x08 0xC0 0x010203", set()),
    "originator of one byte": ("0x09 0x80 0x01", {"outsider"}),  # the same
    "large communities of two bytes": ("0x20 0xC0 0x0102", set()),
}


@LIARS
def test_malformed_attributes(scene: Scene, liar: str) -> None:
    """A route is not taken, the session stays (RFC 7606)."""
    cases = list(zip(_blocks(130, len(MALFORMED)), MALFORMED.values()))
    routes = [f"{prefix} next-hop self attribute [ {attribute} ]" for prefix, (attribute, _) in cases]
    _lie(scene, liar, "node1", 4, routes, [_shown(prefix) for prefix, (_, takers) in cases if liar in takers])


def test_a_reflection_of_our_own_route_is_not_taken(scene: Scene) -> None:
    """ORIGINATOR_ID is the node's own router ID (RFC 4456)."""
    route = f"{_blocks(150, 1)[0]} next-hop self originator-id {NODES['node1'][4]}"
    _lie(scene, "impostor", "node1", 4, [route])


def test_more_routes_than_the_limit(scene: Scene) -> None:
    """BIRD takes as many as the limit says and keeps the session; it takes no more, even of fewer, until told anew."""
    node, liar = scene.nodes["node1"], "impostor"
    many = "10.244.128.0/18 next-hop self split /32"
    before = scene.received(liar, "node1", 4)
    scene.tell(liar, "node1", 4, many)
    wait_for(lambda: len(node.kernel(4)) >= IMPORT_LIMIT, "the limit")
    wait_for(lambda: scene.received(liar, "node1", 4) - before >= 2**14, "all of them")
    session = session_name(NODES["node3"][4])
    assert f"Import limit:   {IMPORT_LIMIT} [HIT]" in node.ask(f"show protocols all {session}")
    kernel = node.kernel(4)
    assert len(kernel) <= IMPORT_LIMIT + len(scene.honest("node1", 4))
    assert scene.honest("node1", 4) <= set(kernel)
    _untouched(scene, "node1", 4)
    scene.unharmed()
    scene.tell(liar, "node1", 4, many, verb="withdraw")
    wait_for(lambda: "0 imported, 0 filtered" in node.ask(f"show protocols all {session}"), "the withdrawal")
    assert set(node.kernel(4)) == scene.honest("node1", 4)
    late, later = (f"{scene.mark(4)} next-hop self" for _ in range(2))
    scene.tell(liar, "node1", 4, late)
    wait_for(lambda: "0 imported, 1 filtered" in node.ask(f"show protocols all {session}"), "a late route")
    node.ask("configure")
    scene.tell(liar, "node1", 4, later)
    wait_for(lambda: _shown(later) in node.kernel(4), "a later route")
    assert _shown(late) not in node.kernel(4)
    scene.unharmed()
    scene.tell(liar, "node1", 4, late, later, verb="withdraw")


@LIARS
def test_what_ends_a_session_ends_that_one_alone(scene: Scene, liar: str) -> None:
    """Reachability that cannot be parsed (RFC 7606, 5.3): BIRD cannot know what else the message would say."""
    node, route = scene.nodes["node1"], f"{_blocks(160, 1)[0]} next-hop self"
    session = session_name((NODES["node3"] if liar == "impostor" else OUTSIDER)[4])
    before = {name: second for name, second in node.since().items() if name != session}
    scene.tell(liar, "node1", 4, route)
    wait_for(lambda: _shown(route) in node.kernel(4), "an honest route")
    scene.tell(liar, "node1", 4, f"{route} attribute [ 0x0e 0x80 0x0102 ]")
    wait_for(lambda: session not in node.established(), "the end of the session")
    scene.tell(liar, "node1", 4, route, verb="withdraw")
    assert node.same_as(before)
    assert scene.honest("node1", 4) <= set(node.kernel(4))
    _untouched(scene, "node1", 4)
    wait_for(lambda: session in node.established(), "a new session")
    wait_for(lambda: set(node.kernel(4)) == scene.honest("node1", 4), "calm")
