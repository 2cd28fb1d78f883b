# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lint looks at, and what it says: a scene of resources and planned sessions, and findings about them."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import node_interface
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, Session
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
    from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
    from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

ZONE_LABEL = "topology.kubernetes.io/zone"
RULES = {
    "invalid-document": "error",
    "pool-overlap": "error",
    "pool-overlaps-service": "error",
    "pool-overlaps-underlay": "error",
    "pool-overlaps-peer": "error",
    "service-overlaps-underlay": "error",
    "pool-too-small": "error",
    "pool-selects-nobody": "warning",
    "pool-not-routed": "warning",
    "filter-missing": "error",
    "pool-without-address": "error",
    "direct-between-subnets": "error",
    "node-is-pod-gateway": "error",
    "block-without-pool": "error",
    "filter-unused": "warning",
    "community-unused": "warning",
    "advertisement-unused": "warning",
    "peer-with-pods": "error",
    "peers-contradict": "error",
    "peer-selects-nobody": "warning",
    "node-unknown": "warning",
    "peer-without-route": "warning",
    "port-of-a-node": "warning",
    "local-as-of-peer": "warning",
    "duplicate-router-id": "error",
    "no-session": "error",
    "one-sided-session": "error",
    "nobody-connects": "error",
    "as-mismatch": "error",
    "password-mismatch": "error",
    "ttl-security-mismatch": "error",
    "external-peer-in-own-as": "warning",
    "as-loop": "error",
    "blocks-unreachable": "error",
    "mesh-with-reflectors": "warning",
    "single-reflector": "warning",
    "reflectors-in-one-failure-domain": "warning",
    "shared-cluster-id": "warning",
}
"""Every rule and its severity: an error keeps packets from their way, a warning is a risk or something useless."""

NAMED = 5  # how many things a message names; the others it counts


CUT_OFF = (
    *("no-session", "one-sided-session", "nobody-connects", "as-mismatch", "password-mismatch"),
    *("ttl-security-mismatch", "blocks-unreachable"),
)
"""Errors that leave nodes without routes to each other for certain; "as-loop" is none, since routers replace ASes."""


class Finding(t.NamedTuple):
    """Something wrong: the rule's id, kind and name of what it is about, what is wrong, and what to do.

    nodes: all that a rule of CUT_OFF is about, on either side.
    """

    rule: str
    kind: str
    name: str
    message: str
    remedy: str
    nodes: tuple[str, ...] = ()

    @property
    def severity(self) -> str:
        """Return "error" or "warning"."""
        return RULES[self.rule]

    def refusal(self, otherwise: str = "") -> InvalidInput:
        """Return the finding as the plan says it; otherwise: one thing more that can be done."""
        remedy = f"{self.remedy}{otherwise}"
        text = f'{self.kind} "{self.name}": {self.message}'
        return InvalidInput(text, remedy=remedy, rule=self.rule, nodes=list(self.nodes))

    def as_dict(self) -> dict[str, t.Any]:
        """Return the finding as a module's result has it."""
        subject = {"kind": self.kind, "name": self.name}
        texts = {"message": self.message, "remedy": self.remedy}
        return {"rule": self.rule, "severity": self.severity, "subject": subject, **texts}


class Skip(t.NamedTuple):
    """A rule that could not be checked on something, and why."""

    rule: str
    kind: str
    name: str
    reason: str

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as a module's result has it."""
        return {"rule": self.rule, "subject": {"kind": self.kind, "name": self.name}, "reason": self.reason}


Results = t.Iterator[t.Union[Finding, Skip]]


def refusals(results: Results) -> t.Iterator[InvalidInput]:
    """Yield findings as the plan says them."""
    return (result.refusal() for result in results if isinstance(result, Finding))


@dataclass(frozen=True)
class Scene:
    """The resources of a cluster, and by node what BIRD would be told (Bgp); no entry where no BIRD runs.

    failure_domain_label: the label of nodes whose equal values mean that they fail together. A node's address with a
    prefix length of 32 or 128 bits says nothing about its subnet. excused: nodes that may be cut off from the others.
    """

    nodes: t.Mapping[str, Node]
    pools: tuple[IPPool, ...] = ()
    peers: tuple[BGPPeer, ...] = ()
    configurations: t.Mapping[str, BGPConfiguration] = field(default_factory=dict)
    filters: frozenset[str] = frozenset()
    bgps: t.Mapping[str, Bgp] = field(default_factory=dict)
    failure_domain_label: str = ZONE_LABEL
    excused: frozenset[str] = frozenset()

    @functools.cached_property
    def addresses(self) -> dict[str, str]:
        """Return every address of the nodes on the underlay, without prefix length, and whose it is."""
        interfaces = ((name, node_interface(node, v)) for name, node in self.nodes.items() for v in (4, 6))
        return {str(interface.ip): name for name, interface in interfaces if interface is not None}

    @functools.cached_property
    def subnets(self) -> dict[Network, list[str]]:
        """Return the nodes in each subnet; a node of which only the address is known is in a subnet of its own."""
        found: dict[Network, list[str]] = {}
        for name, node in sorted(self.nodes.items()):
            for interface in (node.ipv4_address, node.ipv6_address):
                if interface is not None:
                    found.setdefault(interface.network, []).append(name)
        return found

    @functools.cached_property
    def reflectors(self) -> tuple[str, ...]:
        """Return the nodes that are route reflectors."""
        return tuple(name for name, node in sorted(self.nodes.items()) if node.route_reflector_cluster_id)

    @functools.cached_property
    def ties(self) -> dict[str, list[Tie]]:
        """Return by node each of its sessions together with the same session at the other end."""
        own = {(name, family.version): family.address for name, bgp in self.bgps.items() for family in bgp.families}
        index = {name: {s.address: s for s in bgp.sessions if s.peer} for name, bgp in self.bgps.items()}
        empty: dict[str, Session] = {}
        return {
            name: [
                Tie(s, index.get(s.peer, empty).get(own.get((name, s.family), "")) if s.peer else None)
                for s in bgp.sessions
            ]
            for name, bgp in self.bgps.items()
        }

    @functools.cached_property
    def working(self) -> dict[str, list[Tie]]:
        """Return the sessions that can come up, as far as resources tell: all of those with external routers."""
        return {
            name: [tie for tie in ties if tie.here.peer is None or not self.obstacle(tie)]
            for name, ties in self.ties.items()
        }

    def obstacle(self, tie: Tie) -> str:
        """Return the rule that a session with a node breaks, so that it never comes up; empty for none."""
        here, there = tie
        if there is None:
            return "one-sided-session"
        if (here.passive or not self._listens(here)) and (there.passive or not self._listens(there)):
            return "nobody-connects"
        if here.remote_as != there.local_as or there.remote_as != here.local_as:
            return "as-mismatch"
        if here.password != there.password:
            return "password-mismatch"
        return "" if (here.ttl_security is None) == (there.ttl_security is None) else "ttl-security-mismatch"

    def _listens(self, session: Session) -> bool:
        """Tell whether the peer of a session listens on the session's port."""
        return self.bgps[session.peer or ""].listen_port == session.port

    def listen_port(self, node: str) -> int:
        """Return the port on which BIRD of a node listens."""
        ports = (
            self.configurations[name].listen_port for name in (f"node.{node}", "default") if name in self.configurations
        )
        return next((port for port in ports if port), BGP_PORT)

    def as_number(self, node: Node) -> int:
        """Return the AS of a node (Calico's default is 64512)."""
        default = self.configurations.get("default")
        return node.as_number or (default.as_number if default and default.as_number else 64512)


class Tie(t.NamedTuple):
    """A session at one node, and the same at the other end; None if that end has none or is not a node."""

    here: Session
    there: Session | None


def applies(peer: BGPPeer, node: Node) -> bool:
    """Tell whether a BGPPeer gives a node sessions."""
    if peer.node is not None:
        return peer.node == node.name
    return not peer.node_selector or parse(peer.node_selector).matches(node.labels)


def listed(names: t.Iterable[str]) -> str:
    """Return names as a person says them: the first ones, and how many more there are."""
    found = sorted(names)
    rest = len(found) - NAMED
    if rest > 1:
        return f"{', '.join(found[:NAMED])} and {rest} more"
    return ", ".join(found)


def by_value(of: t.Mapping[str, t.FrozenSet[str]]) -> list[tuple[list[str], list[str]]]:
    """Return (names, their common value) for each value that is not empty, so that many say the same thing once."""
    groups: dict[frozenset[str], list[str]] = {}
    for name, value in of.items():
        if value:
            groups.setdefault(value, []).append(name)
    return sorted((sorted(names), sorted(value)) for value, names in groups.items())
