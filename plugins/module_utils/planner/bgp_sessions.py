# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP sessions of a node, as Calico v3.32 configures them (confd); docs/bgp-sessions.md has the differences."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import SecretKey, Session
from ansible_collections.podnet.calico.plugins.module_utils.planner.peering import is_global
from ansible_collections.podnet.calico.plugins.module_utils.resources.duration import whole_seconds

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.peering import End, Peering
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
    from ansible_collections.podnet.calico.plugins.module_utils.resources.secret import SecretKeyRef


class Candidate(t.NamedTuple):
    """A session, the BGPPeer that gives it ("" for the mesh), and its rank among others with its address and port."""

    rank: int
    peer: str
    session: Session


def sessions_of_node(
    cluster: Cluster, name: str, families: t.Collection[int], most: int | None = None
) -> tuple[Session, ...]:
    """Return the sessions of a node, sorted by name; most: how many of each of its addresses are enough.

    Of several with one address and port the one that Calico prefers stays: of a peer of all nodes, then of some nodes,
    then the reverse of another node's peer, then the mesh; within these, of the peer whose name comes first.
    """
    found: dict[tuple[str, int], Session] = {}
    for own in cluster.peering.ends.get(name, ()):
        if own.family in families:
            for candidate in itertools.islice(candidates(cluster, own), most):
                found.setdefault((candidate.session.address, candidate.session.port), candidate.session)
    return tuple(sorted(found.values(), key=lambda session: session.name))


def candidates(cluster: Cluster, own: End) -> t.Iterator[Candidate]:
    """Yield the sessions that an end of a node could have, the preferred ones first."""
    peering = cluster.peering
    for peer in peering.everywhere:
        yield from (Candidate(0, peer.name, session) for session in _forward(peering, own, peer, "global"))
    for peer in peering.some.get(own.node, ()):
        yield from (Candidate(1, peer.name, session) for session in _forward(peering, own, peer, "node"))
    for peer in peering.reverse.get(own.node, ()):
        rank = 2 if is_global(peer) else 3
        yield from (Candidate(rank, peer.name, session) for session in _reverse(peering, own, peer))
    yield from (Candidate(4, "", session) for session in _mesh(cluster, own))


def _mesh(cluster: Cluster, own: End) -> t.Iterator[Session]:
    """Yield the sessions of the full mesh, in which nodes with a route reflector's cluster ID take no part (Calico)."""
    if not cluster.bgp.node_to_node_mesh_enabled or own.cluster_id is not None:
        return
    password = secret_key(cluster.bgp.node_mesh_password)
    for end in cluster.peering.mesh:
        if end.family == own.family and end.node != own.node:
            yield Session(
                name=session_name(end.address),
                kind="mesh",
                family=own.family,
                address=end.address,
                remote_as=end.as_number,
                local_as=own.as_number,
                port=end.port,
                peer=end.node,
                source=own.address,
                passive=_waits(own, end),
                password=password,
                restart_time=whole_seconds(cluster.bgp.node_mesh_max_restart_time),
            )


def _waits(own: End, end: End) -> bool:
    """Tell whether the other end connects: the one whose address is the greater text does (Calico)."""
    return end.address > own.address


def _forward(peering: Peering, own: End, peer: BGPPeer, kind: str) -> t.Iterator[Session]:
    """Yield the sessions that a peer gives to a node that it is for, never with the node itself."""
    if peer.peer_ip is not None:
        yield from _by_address(peering, own, peer, kind)
        return
    local_as = peer.local_as_number or own.as_number
    given = _given(peer, own)
    for end in _ends_of(peering, own, peering.remotes(peer)):
        yield Session(
            name=session_name(end.address),
            kind=kind,
            address=end.address,
            remote_as=end.as_number,
            local_as=local_as,
            port=end.port,
            peer=end.node,
            rr_client=_is_client(own, end.as_number, local_as, end.cluster_id),
            reflects=end.cluster_id is not None,
            next_hop=_next_hop(peer, end.as_number != local_as),
            allowed_local_as=peer.num_allowed_local_as_numbers or None,
            **given,
        )


def _by_address(peering: Peering, own: End, peer: BGPPeer, kind: str) -> t.Iterator[Session]:
    """Yield the session with an address, which may be a node's; of which cluster that is, Calico does not look up.

    Of a peer of all nodes the side with the smaller text waits, as in the mesh; with peerSelector neither (Calico).
    """
    address, port = peer.peer_address, peer.peer_port
    if address is None or address.version != own.family or str(address) == own.address:
        return
    end = peering.by_address.get(str(address))
    remote_as, local_as = peer.as_number or own.as_number, peer.local_as_number or own.as_number
    bird = end if end is not None and port in (None, end.port) else None  # and not another daemon on that node
    yield Session(
        name=session_name(str(address), port),
        kind=kind,
        address=str(address),
        remote_as=remote_as,
        local_as=local_as,
        port=port or (end.port if end else BGP_PORT),
        peer=bird.node if bird else None,
        passive=kind == "global" and end is not None and _waits(own, end),
        rr_client=_is_client(own, remote_as, local_as, None),
        reflects=bird is not None and bird.cluster_id is not None,
        next_hop=_next_hop(peer, remote_as != local_as),
        allowed_local_as=peer.num_allowed_local_as_numbers or None,
        **_given(peer, own),
    )


def _reverse(peering: Peering, own: End, peer: BGPPeer) -> t.Iterator[Session]:
    """Yield the other side of the sessions that a peer gives to other nodes (Calico, reversePeering Auto).

    The AS that the peer has its nodes pretend to be in is then the other end's.
    """
    address = peer.peer_address
    if address is not None and address.version != own.family:
        return
    given = {**_given(peer, own), "reachable_by": None}  # that gateway is one of the nodes that the peer is for
    for end in _ends_of(peering, own, peering.locals(peer)):
        remote_as = peer.local_as_number or end.as_number
        yield Session(
            name=session_name(end.address),
            kind="node",
            address=end.address,
            remote_as=remote_as,
            local_as=own.as_number,
            port=end.port,
            peer=end.node,
            rr_client=_is_client(own, remote_as, own.as_number, end.cluster_id),
            reflects=end.cluster_id is not None,
            next_hop=(peer.next_hop_mode or "Auto").lower(),
            **given,
        )


def _ends_of(peering: Peering, own: End, names: t.Iterable[str]) -> t.Iterator[End]:
    for name in names:
        if name != own.node:
            for end in peering.ends.get(name, ()):
                if end.family == own.family:
                    yield end


def _given(peer: BGPPeer, own: End) -> dict[str, t.Any]:
    """Return the parts of a session that come from the peer, whichever of its two sides a node is."""
    return {
        "family": own.family,
        "source": own.address if peer.source_address == "UseNodeIP" else None,
        "password": secret_key(peer.password),
        "restart_time": whole_seconds(peer.max_restart_time),
        "keepalive_time": whole_seconds(peer.keepalive_time),
        "ttl_security": peer.ttl_security or None,
        "reachable_by": None if peer.reachable_by is None else str(peer.reachable_by),
        "filters": peer.filters,
    }


def _is_client(own: End, remote_as: int, local_as: int, cluster_id: str | None) -> bool:
    """Tell whether a route reflector has a client at the other end: in its AS, of no or another cluster (Calico)."""
    return own.cluster_id is not None and remote_as == local_as and cluster_id != own.cluster_id


def _next_hop(peer: BGPPeer, external: bool) -> str:
    """Return the mode of next hops; the older field for it works with another AS alone (Calico)."""
    if peer.next_hop_mode is None and peer.keep_original_next_hop and external:
        return "keep"
    return (peer.next_hop_mode or "Auto").lower()


def session_name(address: str, port: int | None = None) -> str:
    """Return the name of a session's protocol in BIRD; port is one that peerIP gives."""
    suffix = "" if port is None else f"_port_{port}"
    return f"bgp_{address.replace('.', '_').replace(':', '_')}{suffix}"


def secret_key(reference: SecretKeyRef | None) -> SecretKey | None:
    """Return where a password is."""
    if reference is None:
        return None
    return SecretKey(reference.name, reference.key, bool(reference.optional))
