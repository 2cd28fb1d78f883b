# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GoBGP as an external router of a route reflector: every option of a session, as the other end sees it.

Node 1 reflects, node 2 is its client. The router "spine" has nearly all options of a session, "edge" those that
contradict them, "inside" is in the nodes' own AS, and "picky" does not agree with the nodes.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.bgp.nodes import (
    AS,
    Node,
    bgp_plans,
    dual,
    own,
    password,
    peer,
    session_name,
)
from ansible_collections.podnet.calico.tests.bgp.routers import Data, GoBgp
from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, document

NODES = {"node1": {4: "192.0.2.11", 6: "2001:db8::11"}, "node2": {4: "192.0.2.12", 6: "2001:db8::12"}}
SECOND = {4: "192.0.2.211", 6: "2001:db8::211"}  # of node1: the kernel's choice on the way to edge
SPINE = {4: "192.0.2.101", 6: "2001:db8::101"}
EDGE = {4: "192.0.2.102", 6: "2001:db8::102"}
PICKY = {4: "192.0.2.103", 6: "2001:db8::103"}
INSIDE = {4: "192.0.2.104", 6: "2001:db8::104"}
SPINE_PORT, SPINE_LOCAL_AS = 1790, 64999
FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}
VERSIONS = pytest.mark.parametrize("version", [4, 6])
PASSWORDS = {"spine": {"password": "right"}, "picky": {"password": "a guess"}}


def _global(asn: int, router_id: str, port: int = 179) -> str:
    return f'[global.config]\n  as = {asn}\n  router-id = "{router_id}"\n  port = {port}\n'


def _neighbor(address: str, asn: int = AS, *, key: str = "", ttl: bool = False, passive: bool = False) -> str:
    family = FAMILIES[6 if ":" in address else 4]
    lines = ["[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{address}"', f"peer-as = {asn}"]
    lines += [f'auth-password = "{key}"'] if key else []
    lines += ["[neighbors.transport.config]", "passive-mode = true"] if passive else []
    lines += ["[neighbors.timers.config]", "connect-retry = 1", "idle-hold-time-after-reset = 1"]
    if ttl:
        lines += ["[neighbors.ttl-security.config]", "enabled = true", "ttl-min = 255"]
    else:
        lines += ["[neighbors.ebgp-multihop.config]", "enabled = true", "multihop-ttl = 3"]
    lines += ["[neighbors.graceful-restart.config]", "enabled = true", "restart-time = 120"]
    lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "{family}"']
    lines += ["[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true"]
    return "\n".join(lines) + "\n"


def _peers() -> t.Iterator[Document]:
    spine = {"localASNumber": SPINE_LOCAL_AS, "password": password("spine"), "ttlSecurity": 1, "filters": ["upstream"]}
    spine |= {"maxRestartTime": "77s", "keepaliveTime": "1s"}
    edge = {"sourceAddress": "None", "nextHopMode": "Keep", "numAllowedLocalASNumbers": 1, "filters": ["upstream"]}
    for version in (4, 6):
        with_port = f"[{SPINE[6]}]:{SPINE_PORT}" if version == 6 else f"{SPINE[4]}:{SPINE_PORT}"
        yield peer(f"spine-{version}", node="node1", peerIP=with_port, asNumber=65001, **spine)
        yield peer(f"edge-{version}", node="node1", peerIP=EDGE[version], asNumber=65002, **edge)
        yield peer(f"inside-{version}", node="node1", peerIP=INSIDE[version], asNumber=AS, nextHopMode="Self")
        guess = {"asNumber": 65003, "password": password("picky")}
        yield peer(f"picky-1-{version}", node="node1", peerIP=PICKY[version], **guess)
        yield peer(f"picky-2-{version}", node="node2", peerIP=PICKY[version], asNumber=65003, ttlSecurity=1)
    yield peer("reflector", nodeSelector="!has(reflector)", peerSelector="has(reflector)")


def _documents() -> list[Document]:
    cidrs = {4: "198.18.0.0/15", 6: "2001:db8:ff::/48"}
    rules = {
        f"importV{version}": [{"action": "Accept", "cidr": cidr, "matchOperator": "In"}]
        for version, cidr in cidrs.items()
    }
    configuration = document(
        "BGPConfiguration",
        "default",
        nodeToNodeMeshEnabled=False,
        prefixAdvertisements=[
            {"cidr": cidr, "communities": ["64512:7", "64512:1:7"]} for cidr in ("10.244.0.0/16", "fd00:244::/48")
        ],
    )
    reflecting = {"labels": {"reflector": ""}, "routeReflectorClusterID": "10.0.0.1"}
    nodes = [
        dual(name, f"{address[4]}/24", f"{address[6]}/64", **(reflecting if name == "node1" else {}))
        for name, address in NODES.items()
    ]
    return [*nodes, configuration, document("BGPFilter", "upstream", **rules), *_peers()]


class Scene(t.NamedTuple):
    """All that is on the wire."""

    plans: dict[str, Result]
    nodes: dict[str, Node]
    spine: GoBgp
    edge: GoBgp
    inside: GoBgp
    picky: GoBgp


def _router(site: Site, name: str, addresses: dict[int, str], config: str) -> GoBgp:
    router = GoBgp(site, name, lan=f"{addresses[4]}/24 {addresses[6]}/64")
    router.start(config)
    return router


@pytest.fixture(scope="module")
def scene(site: Site) -> Scene:
    """Return the scene with all sessions up that can come up."""
    secured = "".join(_neighbor(NODES["node1"][v], SPINE_LOCAL_AS, key="right", ttl=True, passive=True) for v in (4, 6))
    spine = _router(site, "spine", SPINE, _global(65001, SPINE[4], SPINE_PORT) + secured)
    edge = _router(site, "edge", EDGE, _global(65002, EDGE[4]) + "".join(_neighbor(SECOND[v]) for v in (4, 6)))
    internal = "".join(_neighbor(NODES["node1"][v]) for v in (4, 6))
    inside = _router(site, "inside", INSIDE, _global(AS, INSIDE[4]) + internal)
    wrong = "".join(_neighbor(NODES["node1"][v], key="wrong") + _neighbor(NODES["node2"][v]) for v in (4, 6))
    picky = _router(site, "picky", PICKY, _global(65003, PICKY[4]) + wrong)
    nodes = {name: Node(site, name, lan=f"{address[4]}/24 {address[6]}/64") for name, address in NODES.items()}
    nodes["node1"].host.batch(f"addr add {SECOND[4]}/24 dev eth0", f"addr add {SECOND[6]}/64 dev eth0 nodad")
    nodes["node1"].host.batch(*(f"route add {EDGE[v]} dev eth0 src {SECOND[v]}" for v in (4, 6)))
    plans = bgp_plans(*_documents())
    for name, node in nodes.items():
        node.configure(plans[name], PASSWORDS)
        node.start()
    nodes["node2"].wait_up(*NODES["node1"].values())
    wait_for(lambda: _up(nodes["node1"]), "all sessions of node1")
    return Scene(plans, nodes, spine, edge, inside, picky)


def _names() -> set[str]:
    """Return the sessions of node1 that should be up."""
    with_port = {f"{session_name(address)}_port_{SPINE_PORT}" for address in SPINE.values()}
    return with_port | {
        session_name(address) for address in (*EDGE.values(), *INSIDE.values(), *NODES["node2"].values())
    }


def _up(node: Node) -> bool:
    return _names() <= node.established()


def test_exactly_the_sessions_come_up_whose_password_and_ttl_are_right(scene: Scene) -> None:
    wait_for(lambda: scene.nodes["node1"].host.refused("TCPMD5Failure") > 1, "a wrong password")
    ends = [scene.nodes["node2"], scene.picky]
    wait_for(lambda: sum(end.host.refused("TCPMinTTLDrop") for end in ends) > 1, "a wrong TTL")
    assert scene.nodes["node1"].established() == _names()
    assert scene.nodes["node2"].established() == {session_name(address) for address in NODES["node1"].values()}
    for version in (4, 6):
        assert scene.spine.established(NODES["node1"][version])
        assert not scene.picky.established(NODES["node1"][version])


@VERSIONS
def test_the_source_is_the_nodes_address_or_the_kernels_choice(scene: Scene, version: int) -> None:
    """The routers know their neighbours by these addresses only; this is what the node says."""
    shown = scene.nodes["node1"].ask(f"show protocols all {session_name(EDGE[version])}")
    assert f"Source address:   {SECOND[version]}" in shown
    spine = scene.nodes["node1"].ask(f"show protocols all {session_name(SPINE[version])}_port_{SPINE_PORT}")
    assert f"Source address:   {NODES['node1'][version]}" in spine


def _attribute(attributes: list[Data], kind: int) -> Data:
    return next((attribute for attribute in attributes if attribute["type"] == kind), {})


AS_PATH, NEXT_HOP, LOCAL_PREF, COMMUNITIES, REACHABLE, LARGE = 2, 3, 5, 8, 14, 32


def _path(attributes: list[Data]) -> list[int]:
    return [asn for segment in _attribute(attributes, AS_PATH)["as_paths"] for asn in segment["asns"]]


def _next_hop(attributes: list[Data]) -> t.Any:
    return (_attribute(attributes, NEXT_HOP) or _attribute(attributes, REACHABLE))["nexthop"]


@VERSIONS
def test_local_as_and_communities(scene: Scene, version: int) -> None:
    """Node 2's block comes through the reflector, which is its next hop for another AS."""
    wanted = {own(plan, version) for plan in scene.plans.values()}
    wait_for(lambda: set(scene.spine.routes(NODES["node1"][version])) == wanted, "the blocks on spine")
    for attributes in scene.spine.routes(NODES["node1"][version]).values():
        assert _path(attributes) == [SPINE_LOCAL_AS, *_path(attributes)[1:]]
        assert _next_hop(attributes) == NODES["node1"][version]
        assert _attribute(attributes, COMMUNITIES)["communities"] == [(AS << 16) + 7]
        assert _attribute(attributes, LARGE), attributes


@VERSIONS
def test_next_hop_self(scene: Scene, version: int) -> None:
    """Without it, a reflector leaves the next hop of node 2's block as it is."""
    wanted = {own(plan, version) for plan in scene.plans.values()}
    wait_for(lambda: set(scene.inside.routes(NODES["node1"][version])) == wanted, "the blocks inside")
    for attributes in scene.inside.routes(NODES["node1"][version]).values():
        assert _next_hop(attributes) == NODES["node1"][version]
        assert _attribute(attributes, LOCAL_PREF)["value"] == 2147483647 - 1024


@VERSIONS
def test_next_hop_keep_and_own_as(scene: Scene, version: int) -> None:
    theirs, mine = (own(scene.plans[name], version) for name in ("node2", "node1"))
    wait_for(lambda: {theirs, mine} == set(scene.edge.routes(SECOND[version])), "the blocks on edge")
    found = scene.edge.routes(SECOND[version])
    assert _next_hop(found[theirs]) == NODES["node2"][version]
    assert _next_hop(found[mine]) == SECOND[version]
    assert _path(found[theirs]) == _path(found[mine]) == [AS]


def _restart_time(router: GoBgp, address: str) -> int:
    """Return the restart time that a neighbour announced, in seconds."""
    lines = router.host.run(f"gobgp neighbor {address}").stdout.split("graceful-restart:")[1]
    remote = lines.split("Remote:")[1]
    return int(remote.split("restart time")[1].split()[0])


@VERSIONS
def test_restart_time_is_announced(scene: Scene, version: int) -> None:
    assert _restart_time(scene.spine, NODES["node1"][version]) == 77
    assert _restart_time(scene.edge, SECOND[version]) == 120


def test_keepalives_are_as_frequent_as_they_should_be(scene: Scene) -> None:
    def received() -> list[int]:
        return [
            router.neighbor(address)["state"]["messages"]["received"]["keepalive"]
            for router, address in ((scene.spine, NODES["node1"][4]), (scene.edge, SECOND[4]))
        ]

    before = received()
    wait_for(lambda: received()[0] - before[0] >= 4, "keepalives, one a second")
    frequent, rare = (after - count for after, count in zip(received(), before))
    assert 4 * rare <= frequent


OWN_AS = {
    4: ("198.18.0.0/24", "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24"),
    6: ("2001:db8:ff:0::/64", "2001:db8:ff:1::/64", "2001:db8:ff:2::/64", "2001:db8:ff:3::/64"),
}


@VERSIONS
def test_own_as_is_tolerated_as_often_as_allowed(scene: Scene, version: int) -> None:
    once, twice, refused, clean = OWN_AS[version]
    # What is refused is announced first: when the other has come, it has come, too.
    scene.edge.announce(f"{twice} aspath {AS},65010,{AS}", f"{once} aspath {AS}")
    scene.spine.announce(f"{refused} aspath {SPINE_LOCAL_AS}", f"{clean} aspath 65010")
    node = scene.nodes["node1"]

    def kernel() -> set[str]:
        return {prefix for prefix in node.kernel(version) if prefix.startswith(("198.18.", "2001:db8:ff:"))}

    wanted = {clean, once.replace("ff:0::", "ff::")}
    wait_for(lambda: wanted <= kernel(), "the routes that are accepted")
    assert kernel() == wanted
