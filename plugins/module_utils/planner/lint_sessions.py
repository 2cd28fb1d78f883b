# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about sessions: those that never come up, nodes without any, routers of the own AS, router IDs, reflectors."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import (
    Finding,
    Results,
    Scene,
    Skip,
    by_value,
    listed,
)

_SAYINGS = {
    "one-sided-session": (
        "has sessions with {peers}, which have none with it",
        "Set reversePeering to Auto, or create the BGPPeer of the other side",
    ),
    "nobody-connects": (
        "and {peers} wait for each other, or connect to a port that the other does not listen on",
        "Leave the port out of peerIP, and listenPort to the BGPConfiguration of the node that listens",
    ),
    "as-mismatch": (
        "and {peers} do not expect each other's AS",
        "Correct asNumber of the BGPPeer, or set localASNumber on both sides alike",
    ),
    "password-mismatch": (
        "and {peers} do not use the same password",
        "Name the same Secret and key on both sides",
    ),
    "ttl-security-mismatch": (
        "and {peers}: one of them sets ttlSecurity and the other does not",
        "Set ttlSecurity on both sides, or on none",
    ),
}


def obstacles(scene: Scene) -> Results:
    """Yield sessions between nodes that never come up; what is wrong with both ends is said once."""
    found: dict[str, dict[str, set[str]]] = {rule: {} for rule in _SAYINGS}
    for name, ties in scene.ties.items():
        for tie in ties:
            peer = tie.here.peer
            if peer is None or peer not in scene.bgps or not scene.excused.isdisjoint((name, peer)):
                continue
            rule = scene.obstacle(tie)
            if rule and name not in found[rule].get(peer, ()):
                found[rule].setdefault(name, set()).add(peer)
    for rule, of in found.items():
        text, remedy = _SAYINGS[rule]
        for names, peers in by_value({name: frozenset(peers) for name, peers in of.items()}):
            others = f" ({listed(names)})" if len(names) > 1 else ""
            message = f"{names[0]}{others} " + text.format(peers=listed(peers))
            yield Finding(rule, "Node", names[0], message, remedy, (*names, *peers))


def no_sessions(scene: Scene) -> Results:
    """Yield nodes without any session, although there are others whose pods BIRD alone has routes to."""
    if len(scene.bgps) < 2:
        return
    routed = [pool for pool in scene.pools if pool.vxlan_mode == "Never" and "LoadBalancer" not in pool.allowed_uses]
    versions = {pool.cidr.version for pool in routed} if scene.pools else {4, 6}
    lonely = sorted(
        name
        for name, bgp in scene.bgps.items()
        if not bgp.sessions and name not in scene.excused and any(family.version in versions for family in bgp.families)
    )
    if lonely:
        of_mesh = [name for name in lonely if name in scene.reflectors]
        text = f"{listed(lonely)}: no mesh and no BGPPeer gives a session, so that no route comes or goes"
        remedy = "Create a BGPPeer for it, or enable the mesh"
        if of_mesh:
            text += f"; route reflectors, as {listed(of_mesh)}, take no part in the mesh"
            remedy = "Create BGPPeers between the reflectors and the other nodes (docs/examples/route-reflectors.yml)"
        yield Finding("no-session", "Node", lonely[0], text, remedy, tuple(lonely))


def router_ids(scene: Scene) -> Results:
    """Yield nodes that have one router ID: the peers of both keep one session, and their routes look like loops."""
    holders: dict[str, list[str]] = {}
    for name, bgp in sorted(scene.bgps.items()):
        holders.setdefault(bgp.router_id, []).append(name)
    for router_id, names in holders.items():
        if len(names) > 1:
            text = f"{listed(names)} have one router ID, {router_id}"
            remedy = "Give each node its own IPv4 address; for nodes without one the ID comes from the name: rename one"
            yield Finding("duplicate-router-id", "Node", names[0], text, remedy)


def own_as(scene: Scene) -> Results:
    """Yield external routers of the nodes' own AS, which tell a node nothing of the others unless they reflect."""
    nodes: dict[str, list[str]] = {}
    for name, bgp in sorted(scene.bgps.items()):
        for session in bgp.sessions:
            if session.peer is None and session.remote_as == session.local_as == bgp.local_as:
                nodes.setdefault(session.address, []).append(name)
    for peer in scene.peers:
        names = nodes.pop(str(peer.peer_address), None)
        if names:
            text = f"{peer.peer_ip} has the AS of {listed(names)}: it passes their routes on only if it reflects them"
            remedy = "Make it a route reflector with the nodes as clients, or give it an AS of its own"
            yield Finding("external-peer-in-own-as", "BGPPeer", peer.name, text, remedy)


def mesh(scene: Scene) -> Results:
    """Yield a full mesh beside route reflectors: half of a migration."""
    default = scene.configurations.get("default")
    enabled = default is None or default.node_to_node_mesh_enabled is not False
    if enabled and scene.reflectors and scene.bgps:
        text = f"the full mesh is enabled although there are route reflectors ({listed(scene.reflectors)})"
        remedy = "Set nodeToNodeMeshEnabled to false when every node has its sessions with the reflectors"
        yield Finding("mesh-with-reflectors", "BGPConfiguration", "default", text, remedy)


def reflectors(scene: Scene) -> Results:
    """Yield reflectors without a second one for their clients, or that fail together with it."""
    served = {name: _reflectors_of(scene, name) for name in scene.bgps if name not in scene.reflectors}
    for clients, servers in by_value(served):
        external = [server for server in servers if server not in scene.nodes]
        if len(servers) == 1 and not external:
            text = f"it is the only route reflector of {listed(clients)}: without it they lose their routes"
            remedy = "Make a second node a route reflector, and its clients' peer"
            yield Finding("single-reflector", "Node", servers[0], text, remedy)
        elif len(servers) > 1 and not external:
            yield from _failure_domain(scene, servers, clients)


def _reflectors_of(scene: Scene, name: str) -> frozenset[str]:
    """Return the reflectors that a node has working sessions with; external routers of the own AS may be some, too."""
    sessions = [tie.here for tie in scene.working[name]]
    if any(s.peer and not s.reflects for s in sessions):  # direct sessions stay when the reflectors go
        return frozenset()
    inside = [s for s in sessions if s.local_as == s.remote_as]
    return frozenset(s.peer or s.address for s in inside if s.reflects or s.peer is None)


def _failure_domain(scene: Scene, servers: list[str], clients: list[str]) -> Results:
    label = scene.failure_domain_label
    values = {server: scene.nodes[server].labels.get(label) for server in servers}
    lacking = [server for server, value in values.items() if value is None]
    domains = set(values.values())
    if lacking:
        reason = f"{listed(lacking)} without label {label}"
        yield Skip("reflectors-in-one-failure-domain", "Node", servers[0], reason)
    elif len(domains) == 1:
        text = f"all route reflectors of {listed(clients)} ({listed(servers)}) are in {domains.pop()} ({label})"
        remedy = "Make a node in another failure domain a route reflector"
        yield Finding("reflectors-in-one-failure-domain", "Node", servers[0], text, remedy)


def cluster_ids(scene: Scene) -> Results:
    """Yield reflectors that share a cluster ID without sharing their clients.

    A reflector drops what one with its own cluster ID has reflected (RFC 4456, section 8), so that the clients of one
    are hidden from those of the other.
    """
    sharing: dict[str, list[str]] = {}
    for name in scene.reflectors:
        if name in scene.bgps:
            sharing.setdefault(str(scene.nodes[name].route_reflector_cluster_id), []).append(name)
    for cluster_id, names in sharing.items():
        clients = {name: frozenset(t.here.peer for t in scene.working[name] if t.here.rr_client) for name in names}
        if len(set(clients.values())) > 1:
            text = f"{listed(names)} have one cluster ID, {cluster_id}, but not the same clients: what one of them "
            text += "reflects the others drop"
            remedy = "Give each reflector its own cluster ID, or all of them the same clients"
            yield Finding("shared-cluster-id", "Node", names[0], text, remedy)


RULES_OF_SESSIONS: tuple[t.Callable[[Scene], Results], ...] = (
    *(obstacles, no_sessions, router_ids, own_as, mesh, reflectors, cluster_ids),
)
