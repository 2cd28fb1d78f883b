# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD on a node is configured with: sessions, and for each IP version pools, blocks and what it advertises."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp_sessions import sessions_of_node
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import node_interface
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    Advertisement,
    Bgp,
    BgpFamily,
    Filter,
    Session,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.peering import listen_port

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Interface
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
    from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

NO_SERVICES = "node.kubernetes.io/exclude-from-external-load-balancers"
"""The label with which, set to "true", a node advertises no range of services (Calico, Kubernetes)."""

RULES = ("importV4", "exportV4", "importV6", "exportV6")


def sessions_of(cluster: Cluster, names: t.Iterable[str] | None = None) -> dict[str, Bgp]:
    """Return what BIRD on each of the named nodes needs, of all nodes by default; without nodes that need no BIRD."""
    chosen = sorted(cluster.nodes) if names is None else names
    made = ((name, bgp_of(cluster, cluster.nodes[name])) for name in chosen)
    return {name: bgp for name, bgp in made if bgp is not None}


def outlines_of(cluster: Cluster) -> dict[str, Bgp]:
    """Return the same for all nodes, in the full mesh with one session of each address, since they are all alike.

    So checks do not grow with the square of the nodes; where BGPPeers give sessions, too, there are all of them.
    """
    most = None if cluster.peers else 1
    made = ((name, bgp_of(cluster, cluster.nodes[name], most)) for name in sorted(cluster.nodes))
    return {name: bgp for name, bgp in made if bgp is not None}


def bgp_of(cluster: Cluster, node: Node, most: int | None = None) -> Bgp | None:
    """Return what BIRD on a node needs, or None for a node that has no IP version in common with the pools.

    most: how many sessions of each of its addresses are enough.
    """
    versions = bgp_versions(cluster, node)
    if not versions:
        return None
    own = cluster.node_bgp.get(node.name)
    sessions = sessions_of_node(cluster, node.name, versions, most)
    return Bgp(
        router_id=_router_id(node),
        local_as=node.as_number or cluster.bgp.as_number or 0,
        families=tuple(_family(cluster, node, version) for version in versions),
        sessions=sessions,
        filters=_filters(cluster, sessions),
        cluster_id=node.route_reflector_cluster_id,
        listen_port=listen_port(cluster.bgp, own),
        bind_to_node=cluster.bgp.bind_mode == "NodeIP",
        ignored_interfaces=cluster.bgp.ignored_interfaces,
        debug=_debug((own.log_severity_screen if own else None) or cluster.bgp.log_severity_screen),
    )


def bgp_versions(cluster: Cluster, node: Node) -> tuple[int, ...]:
    """Return the IP versions that BIRD on a node carries: those of its addresses that pools have, too.

    Where there is no pool at all, nothing is known of what is to be carried, and all versions of its addresses count.
    """
    used = cluster.pool_versions or {4, 6}
    return tuple(version for version in (4, 6) if version in used and node_interface(node, version) is not None)


def _router_id(node: Node) -> str:
    """Return a node's IPv4 address; without one, a number made from its name (Calico's router ID "hash").

    That is the first four bytes of SHA-256, less 32 in the first where it would be multicast or reserved.
    """
    if node.ipv4_address is not None:
        return str(node.ipv4_address.ip)
    first, *rest = hashlib.sha256(node.name.encode()).digest()[:4]
    return ".".join(str(byte) for byte in (first - 32 if first > 223 else first, *rest))


def _debug(severity: str | None) -> str:
    """Return what BIRD logs of its protocols; severities that BIRD has nothing like count as None (Calico)."""
    return {"Info": "states", "Debug": "all"}.get(severity or "Info", "")


def _family(cluster: Cluster, node: Node, version: int) -> BgpFamily:
    interface = t.cast("Interface", node_interface(node, version))  # bgp_versions has looked
    blocks = (block.cidr for block in cluster.owned(node.name))
    priorities = {4: cluster.bgp.ipv4_normal_route_priority, 6: cluster.bgp.ipv6_normal_route_priority}
    balanced = _ranges(version, cluster.bgp.service_load_balancer_ips)
    return BgpFamily(
        version=version,
        address=str(interface.ip),
        subnet=str(interface.network),
        pools=cluster.pool_rules[version],
        blocks=tuple(str(cidr) for cidr in blocks if cidr.version == version),
        services=_services(cluster.bgp, node, version),
        reflected_services=balanced if node.route_reflector_cluster_id else (),
        advertisements=_advertisements(cluster, node, version),
        priority=priorities[version] or 1024,
    )


def _services(configuration: BGPConfiguration, node: Node, version: int) -> tuple[str, ...]:
    """Return the ranges of services that a node advertises as a whole."""
    if node.labels.get(NO_SERVICES) == "true":
        return ()
    ranges = (*configuration.service_cluster_ips, *configuration.service_external_ips)
    if configuration.service_load_balancer_aggregation != "Disabled":
        ranges += configuration.service_load_balancer_ips
    return _ranges(version, ranges)


def _ranges(version: int, networks: t.Iterable[t.Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(network) for network in networks if network.version == version))


def _advertisements(cluster: Cluster, node: Node, version: int) -> tuple[Advertisement, ...]:
    """Return the prefixes with communities; a node's own ones take the place of those of all nodes (Calico)."""
    own = cluster.node_bgp.get(node.name)
    configuration = own if own and own.prefix_advertisements else cluster.bgp
    values = {community.name: community.value for community in configuration.communities}
    return tuple(
        Advertisement(str(item.cidr), tuple(sorted({values.get(name, name) for name in item.communities})))
        for item in configuration.prefix_advertisements
        if item.cidr.version == version and item.communities
    )


def _filters(cluster: Cluster, sessions: t.Iterable[Session]) -> tuple[Filter, ...]:
    """Return the BGPFilters that sessions name; one that does not exist is check's to refuse."""
    names = sorted({name for session in sessions for name in session.filters} & cluster.filters.keys())
    specs = ((name, cluster.filters[name]) for name in names)
    return tuple(Filter(name, {key: spec[key] for key in RULES if key in spec}) for name, spec in specs)
