# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FRR as an external router, and as the only way between two subnets of a direct pool.

Nodes 1 and 2 are on the wire "lan", node 3 on "far"; the router "tor" is on both. Its sessions with all nodes have the
right password, and those with node 2 have TTL security, too. Three more routers do not agree with node 1.
"""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.bgp.nodes import (
    AS,
    Node,
    all_own,
    bgp_plans,
    dual,
    own,
    password,
    peer,
    session_name,
)
from ansible_collections.podnet.calico.tests.bgp.routers import Frr
from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document

NODES = {
    "node1": {4: "192.0.2.11", 6: "2001:db8::11"},
    "node2": {4: "192.0.2.12", 6: "2001:db8::12"},
    "node3": {4: "198.51.100.13", 6: "2001:db8:51::13"},
}
LAN, FAR = {4: "192.0.2.101", 6: "2001:db8::101"}, {4: "198.51.100.101", 6: "2001:db8:51::101"}
ROUTERS = {"node1": LAN, "node2": LAN, "node3": FAR}
STRANGER = {4: "192.0.2.102", 6: "2001:db8::102"}
OURS_ONLY, THEIRS_ONLY = "192.0.2.103", "192.0.2.104"
SERVICES = {4: "10.96.0.0/12", 6: "fd00:96::/112"}
VERSIONS = pytest.mark.parametrize("version", [4, 6])
RIGHT = {"tor": {"password": "right"}, "stranger": {"password": "a guess"}}

BASE = """\
router bgp {asn}
 bgp router-id {router_id}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
"""
# What tor announces beside a default route: a public network, the pool that is not its own, and a block in it.
OFFERS = {
    4: ("8.8.8.0/24", "10.244.0.0/16", "10.244.250.0/26"),
    6: ("2001:4860::/32", "fd00:244::/48", "fd00:244:0:0:ffff::/122"),
}


def _neighbor(address: str, *options: str) -> str:
    lines = [f" neighbor {address} {option}" for option in (f"remote-as {AS}", "timers connect 1", *options)]
    return "\n".join(lines) + "\n"


def _family(version: int, *lines: str) -> str:
    return "".join(f" {line}\n" for line in (f"address-family ipv{version} unicast", *lines, "exit-address-family"))


def _tor() -> str:
    text = BASE.format(asn=65001, router_id=LAN[4])
    for name, addresses in NODES.items():
        options = ("password right", *(["ttl-security hops 1"] if name == "node2" else []))
        text += "".join(_neighbor(address, *options) for address in addresses.values())
    for version, offers in OFFERS.items():
        sessions = [NODES[name][version] for name in NODES]
        lines = [f"neighbor {address} {word}" for address in sessions for word in ("activate", "default-originate")]
        text += _family(version, *lines, *(f"network {prefix}" for prefix in offers))
    return text


def _other(asn: int, router_id: str, *options: str, versions: t.Sequence[int] = (4,)) -> str:
    text = BASE.format(asn=asn, router_id=router_id)
    text += "".join(_neighbor(NODES["node1"][version], *options) for version in versions)
    return text + "".join(_family(v, f"neighbor {NODES['node1'][v]} activate") for v in versions)


def _peers() -> t.Iterator[Document]:
    secured = {"ttlSecurity": 1, "filters": ["upstream"]}
    for name, router in ROUTERS.items():
        for version, address in router.items():
            more = secured if name == "node2" else {}
            spec = {"node": name, "peerIP": address, "asNumber": 65001, "password": password("tor"), **more}
            yield peer(f"tor-{name}-{version}", **spec)
    for version, address in STRANGER.items():
        spec = {"node": "node1", "peerIP": address, "asNumber": 65002, "password": password("stranger")}
        yield peer(f"stranger-{version}", **spec)
    yield peer("ours-only", node="node1", peerIP=OURS_ONLY, asNumber=65003, ttlSecurity=1)
    yield peer("theirs-only", node="node1", peerIP=THEIRS_ONLY, asNumber=65004)


def _documents() -> list[Document]:
    names = ["pods", "64512:1:100"]
    configuration = document(
        "BGPConfiguration",
        "default",
        serviceClusterIPs=[{"cidr": cidr} for cidr in SERVICES.values()],
        communities=[{"name": "pods", "value": "64512:100"}],
        prefixAdvertisements=[{"cidr": cidr, "communities": names} for cidr in ("10.244.0.0/16", "fd00:244::/48")],
    )
    accepted = {4: ("0.0.0.0/0", OFFERS[4][0]), 6: ("::/0", OFFERS[6][0])}
    rules = {
        f"importV{version}": [{"action": "Accept", "cidr": cidr, "matchOperator": "Equal"} for cidr in cidrs]
        for version, cidrs in accepted.items()
    }
    nodes = [dual(name, f"{address[4]}/24", f"{address[6]}/64") for name, address in NODES.items()]
    return [*nodes, configuration, document("BGPFilter", "upstream", **rules), *_peers()]


class Scene(t.NamedTuple):
    """All that is on the wires."""

    plans: dict[str, Result]
    nodes: dict[str, Node]
    tor: Frr
    others: dict[str, Frr]


@pytest.fixture(scope="module")
def scene(site: Site) -> Scene:
    """Return the scene with all sessions up that can come up."""
    site.wire("far")
    tor = Frr(site, "tor", lan=f"{LAN[4]}/24 {LAN[6]}/64", far=f"{FAR[4]}/24 {FAR[6]}/64")
    tor.start(_tor())
    nodes = {name: _node(site, name) for name in NODES}
    others = {
        "stranger": Frr(site, "stranger", lan=f"{STRANGER[4]}/24 {STRANGER[6]}/64"),
        "ours only": Frr(site, "ours-only", lan=f"{OURS_ONLY}/24"),
        "theirs only": Frr(site, "theirs-only", lan=f"{THEIRS_ONLY}/24"),
    }
    others["stranger"].start(_other(65002, STRANGER[4], "password wrong", versions=(4, 6)))
    others["ours only"].start(_other(65003, OURS_ONLY))
    others["theirs only"].start(_other(65004, THEIRS_ONLY, "ttl-security hops 1"))
    plans = bgp_plans(*_documents())
    for name, node in nodes.items():
        node.configure(plans[name], RIGHT)
        node.start()
    for name, node in nodes.items():
        node.wait_up(*_good(name))
    return Scene(plans, nodes, tor, others)


def _node(site: Site, name: str) -> Node:
    """Return a node that knows the way to the other subnet by a route of its own, as hosts do."""
    wire = "far" if name == "node3" else "lan"
    node = Node(site, name, **{wire: f"{NODES[name][4]}/24 {NODES[name][6]}/64"})
    other = ("192.0.2.0/24", "2001:db8::/64") if name == "node3" else ("198.51.100.0/24", "2001:db8:51::/64")
    node.host.batch(*(f"route add {there} via {ROUTERS[name][v]}" for there, v in zip(other, (4, 6))))
    return node


def _good(name: str) -> list[str]:
    """Return the addresses that a node's sessions should be up with: the router and the other nodes."""
    others = [address for other in NODES if other != name for address in NODES[other].values()]
    return [*ROUTERS[name].values(), *others]


def test_exactly_the_sessions_come_up_whose_password_and_ttl_are_right(scene: Scene) -> None:
    """Who looks at the TTL hears what comes before it has said so to its kernel: the other end may think it is up."""
    wait_for(lambda: scene.nodes["node1"].host.refused("TCPMD5Failure") > 1, "a wrong password")
    ends = [scene.nodes["node1"], scene.others["theirs only"]]
    wait_for(lambda: sum(end.host.refused("TCPMinTTLDrop") for end in ends) > 1, "a wrong TTL")
    for name, node in scene.nodes.items():
        assert node.established() - {session_name(THEIRS_ONLY)} == {session_name(address) for address in _good(name)}
    wanted = {address for addresses in NODES.values() for address in addresses.values()}
    assert scene.tor.states() == dict.fromkeys(wanted, "Established")
    for other in ("stranger", "theirs only"):
        assert "Established" not in scene.others[other].states().values()


@VERSIONS
@pytest.mark.parametrize("name", NODES)
def test_a_router_gets_the_blocks_and_services_of_a_node_alone(scene: Scene, name: str, version: int) -> None:
    mine = own(scene.plans[name], version)
    assert len(all_own(scene.plans[name], version)) == 2  # the other is in a pool with disableBGPExport
    wanted = {mine, SERVICES[version]}
    wait_for(lambda: wanted <= scene.tor.prefixes(NODES[name][version]), f"{wanted} on tor")
    assert scene.tor.prefixes(NODES[name][version]) == wanted


@VERSIONS
def test_routes_have_next_hop_path_and_communities(scene: Scene, version: int) -> None:
    address = NODES["node1"][version]
    pods = scene.tor.route(own(scene.plans["node1"], version), address)
    services = scene.tor.route(SERVICES[version], address)
    for route in (pods, services):
        assert {hop["ip"] for hop in route["nexthops"]} == {address}
        assert route["aspath"]["string"] == str(AS)
        assert route["valid"] is True
    assert (pods["community"]["string"], pods["largeCommunity"]["string"]) == ("64512:100", "64512:1:100")
    assert "community" not in services and "largeCommunity" not in services


def _learned(scene: Scene, name: str, version: int) -> set[str]:
    """Return what a node has to have in its kernel: its blocks, the exported ones of others, and one that tor has."""
    return {*all_own(scene.plans[name], version), *(own(p, version) for p in scene.plans.values()), OFFERS[version][2]}


def _ways_to_tor(scene: Scene) -> set[str]:
    """Return the router's addresses; for IPv6, BIRD prefers the link-local ones that come with a next hop."""
    return {info["local"] for link in scene.tor.host.show("addr show") for info in link["addr_info"]}


@VERSIONS
def test_without_filter_only_blocks_are_accepted(scene: Scene, version: int) -> None:
    for name in ("node1", "node3"):
        node = scene.nodes[name]
        wait_for(lambda node=node: OFFERS[version][2] in node.kernel(version), "tor's block")
        wait_for(lambda node=node, name=name: _learned(scene, name, version) == set(node.kernel(version)), "the rest")
        assert node.kernel(version)[OFFERS[version][2]]["gateway"] in _ways_to_tor(scene)


@VERSIONS
def test_a_filter_lets_in_what_it_names(scene: Scene, version: int) -> None:
    node = scene.nodes["node2"]
    more = {"default", OFFERS[version][0]}
    wait_for(lambda: more <= set(node.kernel(version)), "the default route")
    assert set(node.kernel(version)) == _learned(scene, "node2", version) | more
    for prefix in more:
        assert node.kernel(version)[prefix]["gateway"] in _ways_to_tor(scene)


@VERSIONS
def test_a_direct_pool_works_across_the_router(scene: Scene, version: int) -> None:
    first, third = scene.nodes["node1"], scene.nodes["node3"]
    theirs = own(scene.plans["node3"], version)
    ours = own(scene.plans["node1"], version)
    for node, block in ((first, theirs), (third, ours)):
        wait_for(lambda node=node, block=block: "gateway" in node.kernel(version).get(block, {}), "the other's block")
    assert first.kernel(version)[theirs]["gateway"] == LAN[version]
    wait_for(lambda: {ours, theirs} <= set(scene.tor.host.routes("proto bgp", version)), "the router's routes")
    pods = [ipaddress.ip_network(own(scene.plans[node.name], version))[5] for node in (first, third)]
    for node, pod in zip((first, third), pods):
        node.host.ip(f"addr add {pod} dev lo{' nodad' if version == 6 else ''}")
    ping = f"ping -{version} -i 0.2 -W 2 -I {pods[0]} {pods[1]}"
    # The first may be lost while neighbours look for each other.
    wait_for(lambda: first.host.run(f"{ping} -c 1", check=False).returncode == 0, "an answer")
    done = first.host.run(f"{ping} -c 3", check=False)
    assert "3 received" in done.stdout, done.stdout + done.stderr


def test_only_the_ttl_kept_these_sessions_down(scene: Scene) -> None:
    """What BIRD has begun it gives up after minutes only: it does not hear the reset of the other end, either."""
    node, address = scene.nodes["node1"], NODES["node1"][4]
    before = node.since()
    scene.others["ours only"].configure("router bgp 65003", f"neighbor {address} ttl-security hops 1")
    scene.others["theirs only"].configure("router bgp 65004", f"no neighbor {address} ttl-security hops 1")
    scene.others["theirs only"].configure("router bgp 65004", f"neighbor {address} ebgp-multihop 2")
    for session in (OURS_ONLY, THEIRS_ONLY):
        node.ask(f"restart {session_name(session)}")
    node.wait_up(OURS_ONLY, THEIRS_ONLY)
    assert node.same_as(before)


def test_a_corrected_password_brings_up_that_session_alone(scene: Scene) -> None:
    node = scene.nodes["node1"]
    before = node.since()
    node.configure(scene.plans["node1"], {**RIGHT, "stranger": {"password": "wrong"}})
    node.wait_up(*STRANGER.values())
    assert node.same_as(before)
    assert "wrong" not in "".join(path.read_text() for path in node.etc.glob("podnet-calico.conf"))
