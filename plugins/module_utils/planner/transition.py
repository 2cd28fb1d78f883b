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
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.mtu import pod_mtu
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    PIN_METRIC,
    VXLAN_DEVICES,
    Host,
    Route,
    Transition,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster

# Loose: with the strict check (1) packets are dropped as long as two nodes do not agree on the way. "all" is enough,
# since the kernel takes the greater of it and the device's own value (Linux, ip-sysctl).
LOOSE = {"net.ipv4.conf.all.rp_filter": "2"}


class Ways(t.NamedTuple):
    """How a node reaches what others hold: our routes by destination, and destinations that are a router's."""

    pins: dict[str, Route]
    by_router: frozenset[str]


class ModeChange(t.NamedTuple):
    """A change of pools' modes: the cluster before and after it, and how BIRD takes part.

    bird: whether BIRD runs afterwards. bird_first: see node_plan.Transition.
    """

    old: Cluster
    new: Cluster
    bird: bool
    bird_first: bool


def transition_of(change: ModeChange, name: str, host: Host) -> Transition:
    """Return how one node makes a change."""
    old, new = change.old, change.new
    # Tunnels' ends come before what has them as gateways, and before pins of the same destination.
    stay = {**_staying(new, name, host), **_tunnel_ends(new, name)}
    before, after = ways(old, name, host), ways(new, name, host)
    trial = _trial(old, new, name, host)
    refused = [route for route in refusals(old) if route in refusals(new)]
    return Transition(
        changes=changes(change),
        before=(*{**stay, **trial, **before.pins, **stay}.values(), *refused),
        after=(*{**stay, **after.pins, **stay}.values(), *refused),
        trial=tuple(sorted(set(trial) - set(before.pins))),
        bird_first=change.bird_first,
        carried=tuple(_carried(new, name, host)) if change.bird else (),
        sysctls=LOOSE if host.checks_sources and 4 in new.pool_versions else {},
        mtu=common_mtu(change, host),
    )


def common_mtu(change: ModeChange, host: Host) -> int:
    """Return the MTU of pods that fits both modes, in bytes."""
    return min(pod_mtu(change.old, host), pod_mtu(change.new, host))


def changes(change: ModeChange) -> tuple[str, ...]:
    """Return the pools whose mode differs, in words."""
    modes = {pool.name: pool.encapsulation for pool in change.old.pools}
    return tuple(
        f"{pool.name}: {modes[pool.name]} -> {pool.encapsulation}"
        for pool in change.new.pools
        if modes[pool.name] != pool.encapsulation
    )


def staged(plan: t.Mapping[str, t.Any], moved: bool) -> dict[str, t.Any]:
    """Return the plan (data, with its transition) that a node has while modes change.

    It has the tunnels of both modes, and routes by the old or the new one.
    """
    transition, requirements = plan["transition"], plan["requirements"]
    return {
        **plan,
        "routes": transition["after" if moved else "before"],
        "standby": [],
        "requirements": {**requirements, "sysctls": {**requirements["sysctls"], **transition["sysctls"]}},
        "cni": {**plan["cni"], "mtu": transition["mtu"]},
    }


def ways(cluster: Cluster, name: str, host: Host) -> Ways:
    """Return how a node reaches what other nodes hold."""
    node, pins, routers = cluster.nodes[name], {}, set()
    for block in cluster.blocks:
        for route, holder in to_holders(block, cluster, node, host):
            if holder == name:
                continue
            if by_router(route, host, node, cluster.nodes[holder]):
                routers.add(route.destination)
            else:
                pins[route.destination] = dataclasses.replace(route, metric=PIN_METRIC[block.cidr.version])
    return Ways(pins, frozenset(routers))


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
