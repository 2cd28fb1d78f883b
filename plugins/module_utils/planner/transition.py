# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the pools' modes in the datastore to new ones without losing a packet: pure functions.

While a mode changes, each node has routes of ours to all other nodes' pods. They have a metric that is smaller than
that of BIRD's routes, so BIRD may be started and changed behind them, and a node is moved by replacing them. What a
router between subnets carries has no such route, since the way there is BIRD's to know.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import host_prefix
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import bgp_versions
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import (
    by_bird,
    by_router,
    gateway_routes,
    own_route,
    refusals,
    remote_route,
    to_holders,
    uses_bird,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.mtu import pod_mtu
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    PIN_METRIC,
    VXLAN_DEVICES,
    Host,
    Route,
    Transition,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster

# Loose: with the strict check (1) packets are dropped as long as two nodes do not agree on the way. "all" is enough,
# since the kernel takes the greater of it and the device's own value (Linux, ip-sysctl).
LOOSE = {"net.ipv4.conf.all.rp_filter": "2"}


class _Ways(t.NamedTuple):
    """How a node reaches what others hold: our routes by destination, and destinations that are a router's."""

    pins: dict[str, Route]
    by_router: frozenset[str]


def transitions(
    stored: Snapshot, claimed: Snapshot, hosts: t.Mapping[str, t.Mapping[str, t.Any]], bgp: str
) -> dict[str, Transition]:
    """Return by node name how the nodes get from the pools' modes that are stored to those of another snapshot.

    stored: what the datastore has. claimed: with the new resources, and the tunnel addresses of both modes claimed. It
    has passed checked.ready with the same hosts and bgp. Raises InvalidInput if not all nodes can take part, and for
    changes that have to be made one after the other.
    """
    raise_all(list(_problems(stored, claimed, hosts)))
    pools = {key: document for key, document in stored.items() if key[0] == "IPPool"}
    old, new = read({**claimed, **pools}), read(claimed)
    seen = {name: Host.from_facts(host) for name, host in hosts.items()}
    ways = {name: (_ways(old, name, host), _ways(new, name, host)) for name, host in seen.items()}
    bird = uses_bird(new, bgp)
    first = bird and _bird_first(ways.values())
    return {name: _transition(old, new, name, host, ways[name], bird, first) for name, host in seen.items()}


def _problems(stored: Snapshot, claimed: Snapshot, hosts: t.Iterable[str]) -> t.Iterator[InvalidInput]:
    nodes = {name for kind, name in stored if kind == "Node"}
    unknown, absent = sorted(set(hosts) - nodes), sorted(nodes - set(hosts))
    if unknown:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(unknown)} are not in the datastore, so they are not deployed yet",
            remedy="Run podnet.calico.deploy with the modes that the pools have, then change them",
        )
    if absent:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(absent)} are in the datastore, but not in this run",
            remedy="They would be cut off: add them to the inventory, or remove them with podnet.calico.remove_node",
        )
    pools = sorted(name for kind, name in claimed if kind == "IPPool" and (kind, name) not in stored)
    if pools:
        yield InvalidInput(
            f"change the mode of pools: {', '.join(pools)} are new",
            remedy="Run podnet.calico.deploy with them and the modes that the other pools have, then change these",
        )


def _ways(cluster: Cluster, name: str, host: Host) -> _Ways:
    node, pins, routers = cluster.nodes[name], {}, set()
    for block in cluster.blocks:
        for route, holder in to_holders(block, cluster, node, host):
            if holder == name:
                continue
            if by_router(route, host, node, cluster.nodes[holder]):
                routers.add(route.destination)
            else:
                pins[route.destination] = dataclasses.replace(route, metric=PIN_METRIC[block.cidr.version])
    return _Ways(pins, frozenset(routers))


def _bird_first(ways: t.Iterable[tuple[_Ways, _Ways]]) -> bool:
    """Tell whether BIRD gets its new configuration before routes move: as soon as possible, so that it is proven.

    If a router carries something now, BIRD's routes show, and would move all nodes at once: then it waits. If a router
    shall carry something, BIRD's new routes are needed first.
    """
    leaving: set[str] = set()
    coming: set[str] = set()
    for old, new in ways:
        leaving |= old.by_router & set(new.pins)
        coming |= new.by_router & set(old.pins)
    if leaving and coming:
        raise InvalidInput(
            f"change the mode of pools: packets to {min(leaving)} shall not go by a router between subnets any more, "
            f"and those to {min(coming)} shall. BIRD can be prepared for one of them only",
            remedy="Change the mode of one pool after the other",
        )
    return not leaving


def _transition(
    old: Cluster, new: Cluster, name: str, host: Host, ways: tuple[_Ways, _Ways], bird: bool, first: bool
) -> Transition:
    # Tunnels' ends come before what has them as gateways, and before pins of the same destination.
    stay, (before, after) = {**_staying(new, name, host), **_tunnel_ends(new, name)}, ways
    trial = _trial(old, new, name, host)
    refused = [route for route in refusals(old) if route in refusals(new)]
    return Transition(
        changes=_changes(old, new),
        before=(*{**stay, **trial, **before.pins, **stay}.values(), *refused),
        after=(*{**stay, **after.pins, **stay}.values(), *refused),
        trial=tuple(sorted(set(trial) - set(before.pins))),
        bird_first=first,
        carried=tuple(_carried(new, name, host)) if bird else (),
        sysctls=LOOSE if host.checks_sources and 4 in new.pool_versions else {},
        mtu=min(pod_mtu(old, host), pod_mtu(new, host)),
    )


def _changes(old: Cluster, new: Cluster) -> tuple[str, ...]:
    modes = {pool.name: pool.encapsulation for pool in old.pools}
    return tuple(
        f"{pool.name}: {modes[pool.name]} -> {pool.encapsulation}"
        for pool in new.pools
        if modes[pool.name] != pool.encapsulation
    )


def _trial(old: Cluster, new: Cluster, name: str, host: Host) -> dict[str, Route]:
    """Return routes by the new mode to probe pods alone, so that it is tried before anybody else depends on it."""
    modes = {pool.name: pool.encapsulation for pool in old.pools}
    pools = {pool.name: pool for pool in new.pools if pool.encapsulation != modes[pool.name]}
    found, node = {}, new.nodes[name]
    for other in new.nodes.values():
        for pool, address in new.probes.get(other.name, ()) if other is not node else ():
            text = host_prefix(address)
            route = remote_route(text, pools[pool], node, other, host) if pool in pools else None
            if route is not None and not by_router(route, host, node, other):
                found[text] = dataclasses.replace(route, metric=PIN_METRIC[address.version])
    return found


def _staying(cluster: Cluster, name: str, host: Host) -> dict[str, Route]:
    """Return the routes that do not lead to other nodes, whoever programs them in the end."""
    routes = gateway_routes(cluster, host)
    routes += [route for block in cluster.owned(name) if (route := own_route(str(block.cidr), True)) is not None]
    return {route.destination: route for route in routes}


def _tunnel_ends(cluster: Cluster, name: str) -> dict[str, Route]:
    """Return routes to the others' ends of the IPv6 VXLAN through itself.

    The kernel refuses a gateway that it would reach through another device, which is so while the other node's block,
    of which the tunnel's end is an address, is routed directly (Linux, ip6_route_check_nh_onlink).
    """
    if cluster.nodes[name].ipv6_vxlan_tunnel_addr is None:
        return {}
    ends = [node.ipv6_vxlan_tunnel_addr for node in cluster.nodes.values() if node.name != name]
    routes = [
        Route(host_prefix(end), device=VXLAN_DEVICES[6], scope="link", metric=PIN_METRIC[6])
        for end in ends
        if end is not None
    ]
    return {route.destination: route for route in routes}


def _carried(cluster: Cluster, name: str, host: Host) -> t.Iterator[Route]:
    node = cluster.nodes[name]
    versions = bgp_versions(cluster, node)
    for block in cluster.blocks:
        if by_bird(block, versions):
            yield from (route for route, to in to_holders(block, cluster, node, host) if to != name)
