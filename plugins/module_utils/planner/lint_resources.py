# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about resources alone: ranges that overlap, names that lead nowhere, and what nothing uses."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import block_count, overlaps
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import node_interface
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import (
    Finding,
    Results,
    Scene,
    Skip,
    applies,
    listed,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer

_OWN_RANGE = "Use a range for pods that nothing else uses"


def pool_overlaps(scene: Scene) -> Results:
    """Yield pools that share addresses with another pool, with services, with the hosts' network or with a router."""
    for one, other in itertools.combinations(scene.pools, 2):
        if overlaps(one.cidr, other.cidr):
            text = f"spec.cidr {one.cidr} overlaps {other.cidr} of IPPool {other.name}"
            yield Finding("pool-overlap", "IPPool", one.name, text, "Choose ranges that share no address")
    services = list(_services(scene))
    routers = {peer.peer_address: peer.name for peer in scene.peers if peer.peer_address is not None}
    for pool in scene.pools:
        for option, network in services:
            if overlaps(pool.cidr, network) and not (
                option == "serviceLoadBalancerIPs" and "LoadBalancer" in pool.allowed_uses
            ):
                text = f"spec.cidr {pool.cidr} overlaps {network} of {option} in BGPConfiguration default"
                yield Finding("pool-overlaps-service", "IPPool", pool.name, text, _OWN_RANGE)
        for subnet, names in scene.subnets.items():
            if overlaps(pool.cidr, subnet):
                text = f"spec.cidr {pool.cidr} overlaps {subnet}, the network of {listed(names)}"
                yield Finding("pool-overlaps-underlay", "IPPool", pool.name, text, _OWN_RANGE)
        for address, name in routers.items():
            if address in pool.cidr:
                text = f"spec.cidr {pool.cidr} holds {address}, the router of BGPPeer {name}"
                yield Finding("pool-overlaps-peer", "IPPool", pool.name, text, _OWN_RANGE)


def service_overlaps(scene: Scene) -> Results:
    """Yield ranges of services that hold addresses of the hosts' network."""
    for option, network in _services(scene):
        names = [name for subnet, nodes in scene.subnets.items() if overlaps(network, subnet) for name in nodes]
        if names:
            text = f"{option} {network} overlaps the network of {listed(names)}"
            remedy = "Use a range for services that no host is in"
            yield Finding("service-overlaps-underlay", "BGPConfiguration", "default", text, remedy)


def _services(scene: Scene) -> t.Iterator[tuple[str, Network]]:
    default = scene.configurations.get("default")
    if default is not None:
        yield from (("serviceClusterIPs", network) for network in default.service_cluster_ips)
        yield from (("serviceExternalIPs", network) for network in default.service_external_ips)
        yield from (("serviceLoadBalancerIPs", network) for network in default.service_load_balancer_ips)


def pools(scene: Scene) -> Results:
    """Yield pools with fewer blocks than nodes, without nodes, and those whose blocks no node learns of."""
    for pool in scene.pools:
        if pool.disabled or "Workload" not in pool.allowed_uses:
            continue
        selector = parse(pool.node_selector)
        selected = sum(selector.matches(node.labels) for node in scene.nodes.values())
        blocks = block_count(pool.cidr, pool.block_size)
        if not selected and scene.nodes:
            text = f"spec.nodeSelector {pool.node_selector} selects no node, so that no pod gets an address of it"
            yield Finding("pool-selects-nobody", "IPPool", pool.name, text, "Label nodes, or correct the selector")
        if blocks < selected and pool.assignment_mode == "Automatic":
            text = f"spec.cidr {pool.cidr} has {blocks} blocks of /{pool.block_size} for {selected} nodes"
            remedy = "Use a larger range or a larger blockSize, or select fewer nodes"
            yield Finding("pool-too-small", "IPPool", pool.name, text, remedy)
        if scene.bgps and pool.disable_bgp_export and pool.vxlan_mode == "Never" and selected > 1:
            text = "spec.disableBGPExport keeps its blocks from the other nodes, too, and it has no VXLAN"
            yield Finding("pool-not-routed", "IPPool", pool.name, text, "Reject it in a BGPFilter of routers instead")


def filters(scene: Scene) -> Results:
    """Yield filters that are named but missing, and those that no peer names."""
    named = {name for peer in scene.peers for name in peer.filters}
    for peer in scene.peers:
        for name in peer.filters:
            if name not in scene.filters:
                text = f"spec.filters names BGPFilter {name}, which does not exist"
                yield Finding("filter-missing", "BGPPeer", peer.name, text, "Create it, or take its name out")
    for name in sorted(scene.filters - named):
        text = "no BGPPeer names it, so it filters nothing"
        yield Finding("filter-unused", "BGPFilter", name, text, "Name it in spec.filters of a BGPPeer, or delete it")


def communities(scene: Scene) -> Results:
    """Yield communities that no advertisement has, and advertisements of what no node announces."""
    announced = [pool.cidr for pool in scene.pools] + [network for __, network in _services(scene)]
    for name, configuration in sorted(scene.configurations.items()):
        used = {text for each in configuration.prefix_advertisements for text in each.communities}
        for community in configuration.communities:
            if community.name not in used:
                text = f"no prefixAdvertisement has the community {community.name} ({community.value})"
                remedy = "Add it to one, or leave it out"
                yield Finding("community-unused", "BGPConfiguration", name, text, remedy)
        for advertisement in configuration.prefix_advertisements:
            if not any(overlaps(advertisement.cidr, network) for network in announced):
                text = f"prefixAdvertisement {advertisement.cidr} has nothing in common with a pool or a service range"
                yield Finding("advertisement-unused", "BGPConfiguration", name, text, "Correct the prefix")


def ends(scene: Scene) -> Results:
    """Yield peers and configurations whose nodes do not exist."""
    for name, configuration in sorted(scene.configurations.items()):
        if configuration.node is not None and configuration.node not in scene.nodes:
            text = f"there is no Node {configuration.node}"
            yield Finding("node-unknown", "BGPConfiguration", name, text, "Delete it, or create the node")
    for peer in scene.peers:
        if peer.node is not None and peer.node not in scene.nodes:
            text = f"spec.node: there is no Node {peer.node}"
            yield Finding("node-unknown", "BGPPeer", peer.name, text, "Delete it, or create the node")
        for option, selector in (("nodeSelector", peer.node_selector), ("peerSelector", peer.peer_selector)):
            if selector and not any(parse(selector).matches(node.labels) for node in scene.nodes.values()):
                text = f"spec.{option} {selector} selects no node, so that it gives no session"
                yield Finding("peer-selects-nobody", "BGPPeer", peer.name, text, "Label nodes, or correct the selector")


def routes_to_peers(scene: Scene) -> Results:
    """Yield routers that nodes do not reach in their own subnet, and of which nothing says how else."""
    for peer in scene.peers:
        address = peer.peer_address
        if address is None or str(address) in scene.addresses or (peer.ttl_security or 0) > 1:
            continue
        hop = peer.reachable_by or address
        interfaces = [
            (name, node_interface(node, hop.version)) for name, node in scene.nodes.items() if applies(peer, node)
        ]
        known = [(name, i) for name, i in interfaces if i is not None and i.network.prefixlen < i.max_prefixlen]
        unknown = [name for name, i in interfaces if i is not None and i.network.prefixlen == i.max_prefixlen]
        if unknown:
            reason = f"the subnet of {listed(unknown)} is not known: give the address with its prefix length"
            yield Skip("peer-without-route", "BGPPeer", peer.name, reason)
        far = [name for name, interface in known if hop not in interface.network]
        if far:
            yield _far(peer, hop, far)


def _far(peer: BGPPeer, hop: Address, nodes: list[str]) -> Finding:
    option = "peerIP" if peer.reachable_by is None else "reachableBy"
    text = f"spec.{option} {hop} is not in the subnet of {listed(nodes)}, which need a route to it"
    remedy = "Set reachableBy to a gateway in the nodes' subnet, or see to a route; ttlSecurity says how far it may be"
    return Finding("peer-without-route", "BGPPeer", peer.name, text, remedy)


def ports(scene: Scene) -> Results:
    """Yield peers that are nodes by their address, on a port on which BIRD of these does not listen."""
    for peer in scene.peers:
        node = scene.addresses.get(str(peer.peer_address))
        if node and peer.peer_port not in (None, scene.listen_port(node)):
            text = f"spec.peerIP {peer.peer_ip} is Node {node}, whose BIRD listens on port {scene.listen_port(node)}"
            remedy = f"Leave the port out, unless another daemon is meant; listenPort is set in node.{node}"
            yield Finding("port-of-a-node", "BGPPeer", peer.name, text, remedy)


def local_as(scene: Scene) -> Results:
    """Yield peers for which nodes take the AS of the other end, which makes an internal session of an external one."""
    for peer in scene.peers:
        if peer.local_as_number is None:
            continue
        remote = {peer.as_number} if peer.as_number else _selected_as(scene, peer)
        if peer.local_as_number in remote:
            text = f"spec.localASNumber {peer.local_as_number} is the AS of the other end: the session is internal"
            remedy = "Leave it out, or use an AS that is neither end's; internal sessions pass on only by reflectors"
            yield Finding("local-as-of-peer", "BGPPeer", peer.name, text, remedy)


def _selected_as(scene: Scene, peer: BGPPeer) -> set[int | None]:
    selector = parse(peer.peer_selector or "")
    return {scene.as_number(node) for node in scene.nodes.values() if selector.matches(node.labels)}


RULES_OF_RESOURCES = (
    *(pool_overlaps, service_overlaps, pools, filters, communities, ends, routes_to_peers, ports, local_as),
)
