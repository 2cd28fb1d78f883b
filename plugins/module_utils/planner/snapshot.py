# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the datastore holds to the shapes that every node's plan is made from."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import contains, order
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Block, Cluster
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam_ledger import PROBE_TYPE
from ansible_collections.podnet.calico.plugins.module_utils.planner.pools import pools_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.reservations import reserved_networks
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address
    from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool


def read(snapshot: Snapshot) -> Cluster:
    """Read a snapshot of the datastore."""
    by_kind: dict[str, list[dict[str, t.Any]]] = {}
    for (kind, __), document in sorted(snapshot.items()):
        by_kind.setdefault(kind, []).append(document)
    pools = tuple(pools_of(snapshot))
    blocks, probes = _blocks(by_kind.get("IPAMBlock", []), pools)
    configurations = _configurations(by_kind.get("BGPConfiguration", []))
    return Cluster(
        pools=pools,
        nodes={document["metadata"]["name"]: Node.from_document(document) for document in by_kind.get("Node", [])},
        blocks=tuple(blocks),
        probes=probes,
        peers=tuple(BGPPeer.from_document(document) for document in by_kind.get("BGPPeer", [])),
        filters={document["metadata"]["name"]: document["spec"] for document in by_kind.get("BGPFilter", [])},
        bgp=configurations[None],
        node_bgp={node: configuration for node, configuration in configurations.items() if node is not None},
        reserved=tuple(reserved_networks(snapshot)),
    )


_NO_CONFIGURATION = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "BGPConfiguration",
    "metadata": {"name": "default"},
    "spec": {},
}


def _configurations(documents: t.Iterable[dict[str, t.Any]]) -> dict[str | None, BGPConfiguration]:
    """Return the configurations by node, None for all; the model fills Calico's defaults into the one of all."""
    found = [BGPConfiguration.from_document(document) for document in (_NO_CONFIGURATION, *documents)]
    return {configuration.node: configuration for configuration in found}


def _blocks(
    documents: t.Iterable[dict[str, t.Any]], pools: t.Sequence[IPPool]
) -> tuple[list[Block], dict[str, tuple[tuple[str, Address], ...]]]:
    blocks: list[Block] = []
    probes: dict[str, tuple[tuple[str, Address], ...]] = {}
    for document in documents:
        cidr = records.network(document)
        pool = next((pool for pool in pools if contains(pool.cidr, cidr)), None)
        if pool is None:
            continue
        owner = records.owner(document)
        borrowed, held = [], []
        for address, entry in records.allocations(document):
            held.append(address)
            holder = entry["secondary"].get("node")
            if holder and holder != owner:
                borrowed.append((address, holder))
            if entry["secondary"].get("type") == PROBE_TYPE:
                probes[holder] = (*probes.get(holder, ()), (pool.name, address))
        blocks.append(Block(cidr, owner, pool, tuple(borrowed), tuple(held)))
    blocks.sort(key=lambda block: order(block.cidr))
    return blocks, probes
