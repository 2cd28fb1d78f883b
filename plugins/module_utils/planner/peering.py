# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a BGPPeer is about, at both of its ends: every selector is evaluated once for all nodes.

Node by node the answers are then looked up, so that the work grows with the sessions, not with pairs of nodes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector_nodes import Compare, Group, Member

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
    from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

Names = t.Collection[str]


class End(t.NamedTuple):
    """One address of a node as the end of a session; port is the one on which the node's BIRD listens."""

    node: str
    family: int
    address: str
    as_number: int
    port: int
    cluster_id: str | None


class Peering:
    """The ends of all nodes, and for each node the BGPPeers that give it sessions, in the order of their names.

    everywhere: peers of all nodes. some: node to the peers that name or select it. reverse: node to the peers of whose
    sessions it is the other end, and whose other side it therefore gets, too (Calico: unless reversePeering is Manual);
    those of all nodes come first.
    """

    def __init__(
        self,
        nodes: t.Mapping[str, Node],
        peers: t.Sequence[BGPPeer],
        default: BGPConfiguration,
        by_node: t.Mapping[str, BGPConfiguration],
    ) -> None:
        self._labels = _Labels(nodes)
        self.ends = {name: tuple(_ends(node, default, by_node.get(name))) for name, node in sorted(nodes.items())}
        self.by_address = {end.address: end for ends in self.ends.values() for end in ends}
        self.mesh = tuple(end for ends in self.ends.values() for end in ends if end.cluster_id is None)
        remote = [peer for peer in peers if peer.local_workload_selector is None]
        self.everywhere = [peer for peer in remote if is_global(peer)]
        self.some = _by_node((peer, self.locals(peer)) for peer in remote if not is_global(peer))
        ordered = sorted(remote, key=lambda peer: not is_global(peer))  # so that both sides prefer the same peer
        mirrored = (peer for peer in ordered if peer.reverse_peering == "Auto")
        self.reverse = _by_node((peer, self._reversed_on(peer)) for peer in mirrored)

    def locals(self, peer: BGPPeer) -> Names:
        """Return the nodes that keep the sessions of a peer."""
        if peer.node is not None:
            return (peer.node,)
        return self._labels.selected(peer.node_selector or "all()")

    def remotes(self, peer: BGPPeer) -> Names:
        """Return the nodes that a peer selects as the other end; none if it has an address instead."""
        return self._labels.selected(peer.peer_selector) if peer.peer_selector else ()

    def _reversed_on(self, peer: BGPPeer) -> Names:
        """Return the nodes at the other end: selected ones, or the one whose address, AS and port the peer gives."""
        if peer.peer_selector:
            return self.remotes(peer)
        end = self.by_address.get(str(peer.peer_address))
        if end is None or end.as_number != peer.as_number or peer.peer_port not in (None, end.port):
            return ()
        return (end.node,)


def is_global(peer: BGPPeer) -> bool:
    """Tell whether a peer is one of all nodes."""
    return peer.node is None and peer.node_selector is None


def listen_port(default: BGPConfiguration, own: BGPConfiguration | None) -> int:
    """Return the port on which a node's BIRD listens; its own configuration comes before the one of all nodes."""
    return (own.listen_port if own else None) or default.listen_port or BGP_PORT


def _ends(node: Node, default: BGPConfiguration, own: BGPConfiguration | None) -> t.Iterator[End]:
    as_number = node.as_number or default.as_number or 0
    for interface in (node.ipv4_address, node.ipv6_address):
        if interface is not None:
            where = (node.name, interface.version, str(interface.ip))
            yield End(*where, as_number, listen_port(default, own), node.route_reflector_cluster_id)


def _by_node(pairs: t.Iterable[tuple[BGPPeer, Names]]) -> dict[str, list[BGPPeer]]:
    found: dict[str, list[BGPPeer]] = {}
    for peer, names in pairs:
        for name in names:
            found.setdefault(name, []).append(peer)
    return found


class _Labels:
    """The labels of all nodes; what is selected by a value is looked up, only the rest is asked node by node."""

    def __init__(self, nodes: t.Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._selected: dict[str, tuple[str, ...]] = {}
        self._with: dict[tuple[str, str], set[str]] = {}
        for name, node in nodes.items():
            for label in node.labels.items():
                self._with.setdefault(label, set()).add(name)

    def selected(self, text: str) -> tuple[str, ...]:
        """Return the names of the nodes that a selector chooses, sorted."""
        if text not in self._selected:
            selector = parse(text)
            names = self._candidates(selector.expression)
            chosen = (name for name in names if selector.matches(self._nodes[name].labels))
            self._selected[text] = tuple(sorted(chosen))
        return self._selected[text]

    def _candidates(self, expression: t.Any) -> Names:
        """Return nodes among which are all that an expression chooses."""
        if isinstance(expression, Compare) and expression.operator == "==":
            return self._with.get((expression.label, expression.value), ())
        if isinstance(expression, Member) and not expression.negated:
            return set().union(*(self._with.get((expression.label, value), ()) for value in expression.values))
        if isinstance(expression, Group):
            parts = [self._candidates(operand) for operand in expression.operands]
            return min(parts, key=len) if expression.operator == "&&" else set().union(*parts)
        return self._nodes.keys()
