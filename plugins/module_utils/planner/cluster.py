# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All resources, read once into the shapes that every node's plan is made from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import PoolRule
from ansible_collections.podnet.calico.plugins.module_utils.planner.peering import Peering
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool


@dataclasses.dataclass(frozen=True)
class Block:
    """A block, the node that owns it, its pool, and who holds an address of it although it is not the owner.

    held: all addresses of it that the datastore notes for somebody: tunnels, probe pods, those of Calico's own IPAM.
    """

    cidr: Network
    node: str | None
    pool: IPPool
    borrowed: tuple[tuple[Address, str], ...]
    held: tuple[Address, ...] = ()


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The resources of a cluster.

    probes: node to (pool name, address). filters: name of a BGPFilter to its spec. bgp: the BGPConfiguration "default",
    defaults filled in; node_bgp: those of single nodes, by the node's name. reserved: what IPReservations keep back.
    """

    pools: tuple[IPPool, ...]
    nodes: dict[str, Node]
    blocks: tuple[Block, ...]
    probes: dict[str, tuple[tuple[str, Address], ...]]
    peers: tuple[BGPPeer, ...]
    filters: dict[str, dict[str, t.Any]]
    bgp: BGPConfiguration
    node_bgp: dict[str, BGPConfiguration]
    reserved: tuple[Network, ...] = ()

    def owned(self, node: str) -> list[Block]:
        """Return the blocks of a node, in the order of their addresses."""
        return self._by_owner.get(node, [])

    @functools.cached_property
    def _by_owner(self) -> dict[str, list[Block]]:
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            if block.node is not None:
                found.setdefault(block.node, []).append(block)
        return found

    @functools.cached_property
    def pool_versions(self) -> frozenset[int]:
        """Return the IP versions of the pools."""
        return frozenset(pool.cidr.version for pool in self.pools)

    @functools.cached_property
    def pool_rules(self) -> dict[int, tuple[PoolRule, ...]]:
        """Return how BIRD treats routes of the pools, by IP version; the same on all nodes."""
        rules = [(pool.cidr.version, _rule(pool)) for pool in self.pools]
        return {version: tuple(rule for of, rule in rules if of == version) for version in (4, 6)}

    @functools.cached_property
    def peering(self) -> Peering:
        """Return who peers with whom, worked out once for all nodes."""
        return Peering(self.nodes, self.peers, self.bgp, self.node_bgp)


def _rule(pool: IPPool) -> PoolRule:
    tunnel = "ipip" if pool.ipip_mode != "Never" else "vxlan" if pool.vxlan_mode != "Never" else ""
    return PoolRule(
        cidr=str(pool.cidr),
        block_size=pool.block_size,
        tunnel=tunnel,
        cross_subnet="CrossSubnet" in (pool.ipip_mode, pool.vxlan_mode),
        exported=not pool.disable_bgp_export,
    )


def vtep_mac(node: str, version: int = 4) -> str:
    """Return the MAC of a node's VXLAN device: 66 and the first five bytes of SHA-1 of its name, as Calico's Felix."""
    name = node if version == 4 else f"{node}-v6"
    digest = hashlib.sha1(name.encode()).digest()  # noqa: S324 (an identifier, not a secret)
    return ":".join(f"{byte:02x}" for byte in (0x66, *digest[:5]))


def same_subnet(node: Node, other: Node, version: int) -> bool:
    """Tell whether a node reaches another one without a router, by the prefix length stored on the Node (Calico)."""
    mine, theirs = node_interface(node, version), node_interface(other, version)
    return mine is not None and theirs is not None and theirs.ip in mine.network


def node_interface(node: Node, version: int) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """Return a node's address of one family with its prefix length."""
    return node.ipv4_address if version == 4 else node.ipv6_address
