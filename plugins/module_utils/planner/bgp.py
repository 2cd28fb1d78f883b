# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which BGP sessions a node has, and what BIRD does with the routes of each pool."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, PoolRule, Session
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
    from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

DEFAULT_PORT = 179


def bgp_of(cluster: Cluster, node: Node) -> Bgp | None:
    """Return what BIRD on a node needs, or None for a node without IPv4 address or a cluster without IPv4 pool.

    Of several sessions with one address and port, what Calico prefers stays: a peer for all nodes over one for some
    nodes over the reverse of another node's peer over the mesh.
    """
    interface = node.ipv4_address
    if interface is None or all(pool.cidr.version != 4 for pool in cluster.pools):
        return None
    found = (*_mesh(cluster, node), *_reverse(cluster, node), *_explicit(cluster, node))
    sessions = {(session.address, session.port): session for session in found}
    return Bgp(
        router_id=str(interface.ip),
        address=str(interface.ip),
        subnet=str(interface.network),
        local_as=_as_number(cluster, node),
        sessions=tuple(sorted(sessions.values(), key=lambda session: session.name)),
        pools=tuple(_rule(pool) for pool in cluster.pools if pool.cidr.version == 4),
        blocks=tuple(
            str(block.cidr)
            for block in cluster.owned(node.name)
            if block.cidr.version == 4 and block.cidr.prefixlen < 32
        ),
        cluster_id=node.route_reflector_cluster_id,
        listen_port=cluster.bgp.listen_port,
        debug={"None": "", "Debug": "all"}.get(cluster.bgp.log, "states"),
    )


def _as_number(cluster: Cluster, node: Node) -> int:
    return node.as_number or cluster.bgp.as_number


def _rule(pool: t.Any) -> PoolRule:
    tunnel = "ipip" if pool.ipip_mode != "Never" else "vxlan" if pool.vxlan_mode != "Never" else ""
    return PoolRule(
        cidr=str(pool.cidr),
        block_size=pool.block_size,
        tunnel=tunnel,
        cross_subnet="CrossSubnet" in (pool.ipip_mode, pool.vxlan_mode),
        exported=not pool.disable_bgp_export,
    )


def _mesh(cluster: Cluster, node: Node) -> t.Iterator[Session]:
    """Yield the sessions of the full mesh, in which nodes with a route reflector's cluster ID take no part (Calico)."""
    if not cluster.bgp.mesh or node.route_reflector_cluster_id:
        return
    for name, other in sorted(cluster.nodes.items()):
        if name != node.name and other.ipv4_address is not None and not other.route_reflector_cluster_id:
            yield _to_node(cluster, node, other, "mesh")


def _to_node(cluster: Cluster, node: Node, other: Node, prefix: str) -> Session:
    """Return a session with another node.

    By Calico's rule the peer with the greater address, as text, connects; for peers of some nodes only, both do.
    """
    address, own = str(other.ipv4_address.ip), str(node.ipv4_address.ip)  # type: ignore[union-attr]
    remote_as = _as_number(cluster, other)
    reflects = bool(node.route_reflector_cluster_id) and remote_as == _as_number(cluster, node)
    return Session(
        name=f"{prefix}_{address.replace('.', '_')}",
        address=address,
        remote_as=remote_as,
        port=cluster.bgp.listen_port,
        passive=prefix != "node" and address > own,
        rr_client=reflects and other.route_reflector_cluster_id != node.route_reflector_cluster_id,
        pool_next_hop=prefix == "mesh",
    )


def _reverse(cluster: Cluster, node: Node) -> t.Iterator[Session]:
    """Yield the other side of the sessions that peers by selector give to other nodes (Calico, reversePeering Auto)."""
    for peer in cluster.peers:
        selected = peer.peer_selector and parse(peer.peer_selector).matches(node.labels)
        if not selected or peer.reverse_peering != "Auto":
            continue
        for name, other in sorted(cluster.nodes.items()):
            if name != node.name and other.ipv4_address is not None and _applies(peer, other):
                yield _to_node(cluster, node, other, "node")


def _explicit(cluster: Cluster, node: Node) -> t.Iterator[Session]:
    for peer in sorted(cluster.peers, key=lambda peer: not (peer.node or peer.node_selector)):
        if not _applies(peer, node):
            continue
        prefix = "node" if peer.node or peer.node_selector else "global"
        if peer.peer_selector:
            selector = parse(peer.peer_selector)
            for name, other in sorted(cluster.nodes.items()):
                if name != node.name and other.ipv4_address is not None and selector.matches(other.labels):
                    yield _to_node(cluster, node, other, prefix)
        elif peer.peer_ip:
            yield from _by_address(cluster, node, peer, prefix)


def _applies(peer: BGPPeer, node: Node) -> bool:
    if peer.node:
        return bool(peer.node == node.name)
    return not peer.node_selector or parse(peer.node_selector).matches(node.labels)


def _by_address(cluster: Cluster, node: Node, peer: BGPPeer, prefix: str) -> t.Iterator[Session]:
    text = str(peer.peer_ip)
    if text.startswith("[") or text.count(":") > 1:
        return
    address, __, port = text.partition(":")
    if node.ipv4_address is not None and address == str(node.ipv4_address.ip):
        return
    other = next((n for n in cluster.nodes.values() if n.ipv4_address and str(n.ipv4_address.ip) == address), None)
    if other is not None and not port:
        yield _to_node(cluster, node, other, prefix)
        return
    yield Session(
        name=f"{prefix}_{address.replace('.', '_')}" + (f"_port_{port}" if port else ""),
        address=address,
        remote_as=peer.as_number or cluster.bgp.as_number,
        port=int(port or DEFAULT_PORT),
        pool_next_hop=False,
    )
