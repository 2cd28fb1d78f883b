# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the resources of a cluster to the plan of one node: a pure function."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import (
    IPIP_DEVICE,
    POD_GATEWAY,
    VXLAN_PORT,
    VXLAN_VNI,
)
from ansible_collections.podnet.calico.plugins.module_utils.ip import host_prefix, joined
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import bgp_of, bgp_versions
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import (
    node_interface,
    same_subnet,
    vtep_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.mtu import pod_mtu, tunnel_mtu
from ansible_collections.podnet.calico.plugins.module_utils.planner.needs import bird_routes
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import (
    REFUSAL_METRIC,
    STANDBY_METRIC,
    VXLAN_DEVICES,
    Bgp,
    Cni,
    Host,
    Nat,
    NodePlan,
    PeerPorts,
    Probe,
    ProbeTarget,
    Requirements,
    Route,
    Tunnel,
    Vtep,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.peering import listen_port
from ansible_collections.podnet.calico.plugins.module_utils.planner.pools import pool_selects
from ansible_collections.podnet.calico.plugins.module_utils.planner.reservations import holder_of, within
from ansible_collections.podnet.calico.plugins.module_utils.text import device_sysctl

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Block, Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
    from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node


def uses_bird(cluster: Cluster, bgp: str) -> bool:
    """Tell whether BIRD runs for the resources of a cluster; bgp: see needs.bird_routes."""
    return bird_routes(bgp, (pool.encapsulation for pool in cluster.pools), peers=bool(cluster.peers))


def plan(
    cluster: Cluster,
    node: str,
    host: Host,
    bird: bool,
    bgp: Bgp | None = None,
    *,
    standby: bool = False,
    guard: bool = True,
) -> NodePlan:
    """Return the plan of a node; the cluster and its hosts have passed check.refuse_unusable.

    bird: whether BIRD runs; bgp: what it does on this node, by bgp_of.
    """
    this = cluster.nodes[node]
    tunnels = tuple(tunnel for tunnel in (_ipip(cluster, this, host), *_vxlans(cluster, this, host)) if tunnel)
    own = cluster.owned(node)
    return NodePlan(
        node=node,
        address=host.address,
        device=host.device,
        blocks=tuple(str(block.cidr) for block in own),
        tunnels=tunnels,
        routes=_routes(cluster, this, host, bird),
        bgp=bgp,
        nat=nat_of(cluster),
        cni=cni_of(cluster, own, this, pod_mtu(cluster, host)),
        probes=tuple(_probes(cluster, this)),
        requirements=_requirements(cluster, this, host, bird, bgp),
        underlay=tuple(sorted({_address_device(host, version) for version in cluster.pool_versions})),
        guard=guard,
        standby=_standby(cluster, this, host) if bird and standby else (),
    )


class Ready(t.NamedTuple):
    """A cluster that has passed all checks, and how its nodes are planned.

    hosts: what was seen on those that take part, by node name. bird: whether BIRD runs. bgps: what it does on each of
    them, as bgp.outlines_of has it. standby, guard: see NodePlan.
    """

    cluster: Cluster
    hosts: dict[str, Host]
    bird: bool
    bgps: dict[str, Bgp]
    standby: bool = False
    guard: bool = True


def plan_of(agreed: Ready, node: str) -> NodePlan:
    """Return the plan of one node."""
    cluster, bird = agreed.cluster, agreed.bird
    bgp = bgp_of(cluster, cluster.nodes[node]) if bird else None
    made = plan(cluster, node, agreed.hosts[node], bird, bgp, standby=agreed.standby, guard=agreed.guard)
    return dataclasses.replace(made, nodes={name: _addresses(cluster.nodes[name]) for name in agreed.hosts})


def _addresses(node: Node) -> tuple[str, ...]:
    interfaces = (node_interface(node, version) for version in (4, 6))
    return tuple(str(interface.ip) for interface in interfaces if interface is not None)


def _probes(cluster: Cluster, node: Node) -> t.Iterator[Probe]:
    pools = {pool.name: pool for pool in cluster.pools}
    for name, address in cluster.probes.get(node.name, ()):
        targets = tuple(
            ProbeTarget(other.name, str(theirs), name, path(pools[name], node, other), probe_namespace(name))
            for __, other in sorted(cluster.nodes.items())
            for pool, theirs in cluster.probes.get(other.name, ())
            if other.name != node.name and pool == name
        )
        yield Probe(probe_namespace(name), (str(address),), targets)


def nat_of(cluster: Cluster) -> Nat:
    """Return whose packets are masqueraded, and to where they are not."""
    workload = [pool for pool in cluster.pools if "LoadBalancer" not in pool.allowed_uses]
    return Nat(
        masquerade=tuple(str(pool.cidr) for pool in workload if pool.nat_outgoing),
        pools=tuple(str(pool.cidr) for pool in workload),
    )


def probe_namespace(pool: str) -> str:
    """Return the name of the namespace of a node's probe pod in a pool."""
    return f"podnet-probe.{pool}"


def path(pool: IPPool, node: Node, other: Node) -> str:
    """Return what carries packets to another node's block: "None", "IPIP" or "VXLAN"."""
    for kind, mode in (("IPIP", pool.ipip_mode), ("VXLAN", pool.vxlan_mode)):
        if mode == "Always" or (mode == "CrossSubnet" and not same_subnet(node, other, pool.cidr.version)):
            return kind
    return "None"


def cni_of(cluster: Cluster, own: t.Iterable[Block], node: Node, mtu: int) -> Cni:
    """Return what new pods of the node get addresses of: its blocks of pools that give any, but for what is kept back.

    Those of a disabled pool give none, and neither do those that are wholly reserved.
    """
    usable = (block for block in own if holder_of(block.cidr, cluster.reserved) is None)
    giving = [
        block for block in usable if "Workload" in block.pool.allowed_uses and pool_selects(block.pool, node.labels)
    ]
    held = [ipaddress.ip_network(address) for block in giving for address in block.held]
    excluded = joined([*held, *(part for block in giving for part in within(block.cidr, cluster.reserved))])
    return Cni(ranges=tuple(str(block.cidr) for block in giving), mtu=mtu, excluded=tuple(map(str, excluded)))


def _ipip(cluster: Cluster, node: Node, host: Host) -> Tunnel | None:
    address, underlay = node.ipv4_ipip_tunnel_addr, node.ipv4_address
    if address is None or underlay is None:
        return None
    return Tunnel(
        kind="ipip",
        name=IPIP_DEVICE,
        address=host_prefix(address),
        mtu=tunnel_mtu(host, "ipip", 4),
        local=str(underlay.ip),
        parent=_parent(host, 4),
    )


def _vxlans(cluster: Cluster, node: Node, host: Host) -> t.Iterator[Tunnel]:
    for version in (4, 6):
        address, underlay = _vxlan_address(node, version), node_interface(node, version)
        if address is None or underlay is None:
            continue
        peers = (_vtep(other, version) for __, other in sorted(cluster.nodes.items()) if other.name != node.name)
        yield Tunnel(
            kind="vxlan",
            name=VXLAN_DEVICES[version],
            address=host_prefix(address),
            mtu=tunnel_mtu(host, "vxlan", version),
            local=str(underlay.ip),
            parent=_parent(host, version),
            mac=_mac(node, version),
            vni=VXLAN_VNI,
            port=VXLAN_PORT,
            peers=tuple(peer for peer in peers if peer is not None),
        )


def _parent(host: Host, version: int) -> str | None:
    """Return the device that a tunnel stands on; none where the node's address outlives a change of the device."""
    return host.device if _address_device(host, version) == host.device else None


def _address_device(host: Host, version: int) -> str:
    """Return the device that has the node's address of an IP version."""
    beside = version == 6 and ":" not in host.address
    return (host.ipv6_address_device if beside else host.address_device) or host.device


def _vxlan_address(node: Node, version: int) -> t.Any:
    return node.ipv4_vxlan_tunnel_addr if version == 4 else node.ipv6_vxlan_tunnel_addr


def _mac(node: Node, version: int) -> str:
    stored = node.vxlan_tunnel_mac_addr if version == 4 else node.vxlan_tunnel_mac_addr_v6
    return stored or vtep_mac(node.name, version)


def _vtep(node: Node, version: int) -> Vtep | None:
    address, underlay = _vxlan_address(node, version), node_interface(node, version)
    if address is None or underlay is None:
        return None
    return Vtep(node.name, str(address), _mac(node, version), str(underlay.ip))


def _routes(cluster: Cluster, node: Node, host: Host, bird: bool) -> tuple[Route, ...]:
    """Return the routes that are ours to program: those of VXLAN pools, and all of them where BIRD does not run.

    Whoever programs them, packets into tunnels that are not there are refused (see refusals).
    """
    carried = bgp_versions(cluster, node) if bird else ()
    blocks = [block for block in cluster.blocks if not by_bird(block, carried)]
    return (*_block_routes(blocks, cluster, node, host), *refusals(cluster), *gateway_routes(cluster, host))


def gateway_routes(cluster: Cluster, host: Host) -> list[Route]:
    """Return the route that makes the kernel answer pods' ARP requests for their gateway, where it would not.

    Proxy ARP answers only for what is routed through another device. Where a default route or that of a network does
    this, none of ours may hide a neighbour with this address.
    """
    needed = 4 in cluster.pool_versions and not host.pod_gateway
    return [Route(f"{POD_GATEWAY}/32", device="lo", scope="link")] if needed else []


def refusals(cluster: Cluster) -> tuple[Route, ...]:
    """Return routes that refuse packets to pods behind a tunnel, for when nothing else leads there.

    A tunnel that goes down takes its routes with it, and a BIRD that has just started has none yet: without a refusal
    packets would leave by the default route, in the open. A pool without blocks may stand for addresses of others, to
    which Calico shall not masquerade: it gets none.
    """
    used = {block.pool.cidr for block in cluster.blocks}
    return tuple(
        Route(str(pool.cidr), type="unreachable", metric=REFUSAL_METRIC)
        for pool in cluster.pools
        if pool.cidr in used and (pool.ipip_mode, pool.vxlan_mode) != ("Never", "Never")
    )


def _standby(cluster: Cluster, node: Node, host: Host) -> tuple[Route, ...]:
    """Return routes to what BIRD carries, with a metric by which they only count while BIRD has none.

    Not to pods that are routed directly through another subnet: there the router between decides.
    """
    carried = bgp_versions(cluster, node)
    return tuple(
        dataclasses.replace(route, metric=STANDBY_METRIC)
        for block in cluster.blocks
        if by_bird(block, carried)
        for route, holder in to_holders(block, cluster, node, host)
        if holder != node.name and not by_router(route, host, node, cluster.nodes[holder])
    )


def by_router(route: Route, host: Host, node: Node, other: Node) -> bool:
    """Tell whether packets to another node's pods go directly to a router, which decides where they go next."""
    return route.device == host.device and not same_subnet(node, other, 6 if ":" in route.destination else 4)


def by_bird(block: Block, carried: t.Collection[int]) -> bool:
    """Tell whether BIRD programs the routes to a block; carried: the IP versions of its sessions."""
    return block.cidr.version in carried and block.pool.vxlan_mode == "Never"


def _block_routes(blocks: t.Iterable[Block], cluster: Cluster, node: Node, host: Host) -> t.Iterator[Route]:
    for block in blocks:
        for route, __ in to_holders(block, cluster, node, host):
            yield route


def to_holders(block: Block, cluster: Cluster, node: Node, host: Host) -> t.Iterator[tuple[Route, str]]:
    """Yield the routes to a block and to addresses of it that other nodes than its owner hold, and who holds them."""
    holders = [(block.cidr, block.node)] if block.node else []
    for destination, holder in [*holders, *((address, owner) for address, owner in block.borrowed)]:
        text = str(destination) if destination == block.cidr else host_prefix(destination)  # type: ignore[arg-type]
        if holder != node.name:
            route = remote_route(text, block.pool, node, cluster.nodes.get(holder), host)
        else:
            route = own_route(text, destination == block.cidr)
        if route is not None:
            yield route, holder


def own_route(text: str, is_block: bool) -> Route | None:
    """Return the route to a block of the node itself, where what no pod has ends; none to a single pod's address."""
    if not is_block or text.endswith(("/32", "/128")):
        return None
    return Route(text, type="blackhole")


def remote_route(text: str, pool: IPPool, node: Node, other: Node | None, host: Host) -> Route | None:
    """Return the route to what another node holds (CIDR) by the pool's mode; None if nothing is known of that node."""
    version = pool.cidr.version
    underlay = node_interface(other, version) if other else None
    if other is None or underlay is None:
        return None
    kind = path(pool, node, other)
    if kind == "None":
        return Route(text, gateway=str(underlay.ip), device=host.device, onlink=True)
    if kind == "IPIP":
        return Route(text, gateway=str(underlay.ip), device=IPIP_DEVICE, onlink=True)
    vtep = _vxlan_address(other, version)
    if vtep is None:
        return None
    if text == host_prefix(vtep):
        return Route(text, device=VXLAN_DEVICES[version], scope="link")
    return Route(text, gateway=str(vtep), device=VXLAN_DEVICES[version], onlink=True)


def _requirements(cluster: Cluster, node: Node, host: Host, bird: bool, bgp: Bgp | None) -> Requirements:
    versions = {pool.cidr.version for pool in cluster.pools}
    ipip = any(pool.ipip_mode != "Never" for pool in cluster.pools)
    vxlan = any(pool.vxlan_mode != "Never" for pool in cluster.pools)
    others = [other for __, other in sorted(cluster.nodes.items()) if other.name != node.name]
    settings = {"net.ipv4.ip_forward": "1"} if 4 in versions else {}
    if 6 in versions:
        settings["net.ipv6.conf.all.forwarding"] = "1"
        settings.update({device_sysctl("ipv6", device, "accept_ra"): "2" for device in host.advertised})
    port = listen_port(cluster.bgp, cluster.node_bgp.get(node.name))
    needs = [("ip protocol 4", ipip), (f"udp {VXLAN_PORT}", vxlan), (f"tcp {port}", bird)]
    sessions = bgp.sessions if bgp else ()
    interfaces = [node_interface(other, version) for other in others for version in (4, 6)]
    return Requirements(
        kernel=tuple(kind for kind, used in (("ipip", ipip), ("vxlan", vxlan)) if used),
        sysctls=settings,
        open=tuple(text for text, used in needs if used),
        nodes=tuple(str(interface.ip) for interface in interfaces if interface is not None),
        peers=tuple(PeerPorts(each.address, each.port, port) for each in sessions if each.peer is None),
    )
