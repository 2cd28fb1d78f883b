# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused before anything is touched: between resources, and between resources and hosts."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import POD_GATEWAY
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import overlaps
from ansible_collections.podnet.calico.plugins.module_utils.planner.check_mtu import mtu_problems
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import node_interface, same_subnet
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import (
    Finding,
    Results,
    Skip,
    listed,
    refusals,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host


def refuse_unusable(
    cluster: Cluster, hosts: t.Mapping[str, Host], bird: bool, found: t.Iterable[InvalidInput] = ()
) -> None:
    """Raise InvalidInput with every problem that would leave the nodes of hosts without a working pod network.

    found: the problems of BGP sessions and of blocks, which check_bgp and pool_migration find.
    """
    resources = (
        *_nodes(cluster, hosts),
        *refusals(families(cluster, hosts)),
        *_underlay(cluster),
        *refusals(gateways(cluster)),
        *found,
    )
    surroundings = (*_kernels(cluster, hosts), *mtu_problems(cluster, hosts), *refusals(subnets(cluster, bird)))
    raise_all((*resources, *surroundings))


def _nodes(cluster: Cluster, hosts: t.Mapping[str, Host]) -> t.Iterator[InvalidInput]:
    if not cluster.pools:
        remedy = "Set calico_ip_pools, or create an IPPool"
        yield InvalidInput("plan the pod network: there is no IPPool", remedy=remedy)
    for name, host in sorted(hosts.items()):
        node = cluster.nodes.get(name)
        if node is None:
            yield InvalidInput(
                f'plan node "{name}": there is no Node "{name}" in the datastore',
                remedy="Create it with calico_node or calico_resources",
            )
        elif node.ipv4_address is not None and str(node.ipv4_address) != host.address and ":" not in host.address:
            yield InvalidInput(
                f'plan node "{name}": spec.bgp.ipv4Address is {node.ipv4_address}, but the host has {host.address}',
                remedy="Run deploy so that the Node follows the host, or correct calico_node_address",
                nodes=[name],
            )


def families(cluster: Cluster, names: t.Collection[str]) -> t.Iterator[Finding]:
    """Yield pools of an IP version of which a named node that they select has no address."""
    for pool in cluster.pools:
        version = pool.cidr.version
        selected = parse(pool.node_selector).matches
        nodes = [node for name, node in sorted(cluster.nodes.items()) if name in names and selected(node.labels)]
        lacking = [node.name for node in nodes if node_interface(node, version) is None]
        if lacking and not pool.disabled:
            yield Finding(
                "pool-without-address",
                "IPPool",
                pool.name,
                f"spec.cidr {pool.cidr} is IPv{version}, but {', '.join(lacking)} have no IPv{version} address on the "
                "underlay",
                f"Set calico_node_address to an IPv{version} address, or use a pool of the nodes' IP version",
                tuple(lacking),
            )


def _underlay(cluster: Cluster) -> t.Iterator[InvalidInput]:
    """A pool that holds a node's own network would take the nodes away from each other."""
    for pool in cluster.pools:
        for node in cluster.nodes.values():
            interface = node_interface(node, pool.cidr.version)
            if interface is not None and overlaps(pool.cidr, interface.network):
                yield InvalidInput(
                    f'IPPool "{pool.name}": spec.cidr {pool.cidr} overlaps {interface.network}, the network of node '
                    f'"{node.name}"',
                    remedy="Use a range for pods that nothing else uses",
                    rule="pool-overlaps-underlay",
                )
                break


def gateways(cluster: Cluster) -> t.Iterator[Finding]:
    """Yield nodes with the address of pods' gateway: pods' packets for that would reach them, or be taken for it."""
    for node in cluster.nodes.values() if 4 in cluster.pool_versions else ():
        if node.ipv4_address is not None and str(node.ipv4_address.ip) == POD_GATEWAY:
            yield Finding(
                "node-is-pod-gateway",
                "Node",
                node.name,
                f"spec.bgp.ipv4Address {node.ipv4_address} is the address by which pods know their gateway on every "
                "node, so that no pod could reach this one",
                "Give the node another address, and set calico_node_address to it",
                (node.name,),
            )


def _kernels(cluster: Cluster, hosts: t.Mapping[str, Host]) -> t.Iterator[InvalidInput]:
    for pool in cluster.pools:
        for kind, mode in (("ipip", pool.ipip_mode), ("vxlan", pool.vxlan_mode)):
            lacking = sorted(name for name, host in hosts.items() if kind not in host.encapsulations)
            if mode != "Never" and lacking:
                other = "VXLAN or VXLANCrossSubnet" if kind == "ipip" else "IPIP or IPIPCrossSubnet"
                yield InvalidInput(
                    f'IPPool "{pool.name}": encapsulation {pool.encapsulation} needs the kernel module {kind}, '
                    f"which the kernel of {', '.join(lacking)} does not have",
                    remedy=f"Install a kernel with {kind}, or set the pool's encapsulation to {other}",
                    rule=f"kernel-{kind}",
                    nodes=lacking,
                )


def subnets(cluster: Cluster, bird: bool, unknown: t.Collection[str] = ()) -> Results:
    """Yield pools whose direct routes end at the first router, which does not know the pods' addresses.

    unknown: nodes whose subnet is not known.
    """
    if cluster.peers and bird:
        return
    for pool in cluster.pools:
        if pool.encapsulation != "None" or pool.disabled or len(cluster.nodes) < 2:
            continue
        unsure = [name for name in cluster.nodes if name in unknown]
        if unsure:
            reason = f"the subnet of {listed(unsure)} is not known: give the address with its prefix length"
            yield Skip("direct-between-subnets", "IPPool", pool.name, reason)
        nodes = [cluster.nodes[name] for name in sorted(cluster.nodes) if name not in unknown]
        far = [node.name for node in nodes[1:] if not same_subnet(nodes[0], node, pool.cidr.version)]
        if far:
            yield Finding(
                "direct-between-subnets",
                "IPPool",
                pool.name,
                f"encapsulation None routes pods directly, but {nodes[0].name} and "
                f"{', '.join(far)} are in different subnets and no BGPPeer tells the router between them about pods",
                "Use VXLANCrossSubnet or IPIPCrossSubnet, or create a BGPPeer for the router",
                (nodes[0].name, *far),
            )
