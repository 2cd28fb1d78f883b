# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compact plan: what travels to a node instead of its whole plan, which it works out where it is applied; pure.

A compact plan has what plays decide by (see brief), and one text with the table of the cluster: a row for each node and
block, and the rules by which the rest follows from them. The text is the same for all nodes of a run, so that what
travels grows with the number of nodes, not with its square. It is JSON, deflated (RFC 1950), in base64, which templates
pass on unread.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import json
import typing as t
import zlib

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import Ready, plan_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Block, Cluster, vtep_mac
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host, NodePlan
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import complete
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import ModeChange, staged, transition_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node

_INTERFACES = {"ipv4_address": ipaddress.IPv4Interface, "ipv6_address": ipaddress.IPv6Interface}
_ADDRESSES = {
    "ipv4_ipip_tunnel_addr": ipaddress.IPv4Address,
    "ipv4_vxlan_tunnel_addr": ipaddress.IPv4Address,
    "ipv6_vxlan_tunnel_addr": ipaddress.IPv6Address,
}
_READ = {**_INTERFACES, **_ADDRESSES}
_MACS = {"vxlan_tunnel_mac_addr": 4, "vxlan_tunnel_mac_addr_v6": 6}
_COLUMNS = (*_READ, *_MACS, "as_number", "route_reflector_cluster_id", "labels")

Plan = t.Dict[str, t.Any]
Row = t.List[t.Any]


def pack(agreed: Ready, change: ModeChange | None = None) -> str:
    """Return the table of a cluster, and of a change of its pools' modes, as text."""
    cluster = agreed.cluster
    pools = {pool.name: index for index, pool in enumerate(cluster.pools)}
    table = {
        "pools": _documents(cluster.pools),
        "old_pools": _documents(change.old.pools) if change else [],
        "bird_first": change.bird_first if change else None,
        "peers": _documents(cluster.peers),
        "filters": cluster.filters,
        "configurations": _documents([cluster.bgp, *cluster.node_bgp.values()]),
        "reserved": list(map(str, cluster.reserved)),
        "nodes": [_node_row(node) for node in cluster.nodes.values()],
        "blocks": [_block_row(block, pools) for block in cluster.blocks],
        "probes": {name: [[pool, str(address)] for pool, address in of] for name, of in cluster.probes.items()},
        "hosts": {name: _differing(host) for name, host in agreed.hosts.items()},
        "rules": {"bird": agreed.bird, "standby": agreed.standby, "guard": agreed.guard},
    }
    return base64.b64encode(zlib.compress(json.dumps(table, separators=(",", ":")).encode())).decode()


def _documents(models: t.Iterable[t.Any]) -> list[dict[str, t.Any]]:
    return [model.to_document() for model in models]


def _node_row(node: Node) -> Row:
    """Return name and columns of a node, without the empty ones at its end and MACs that follow from the name."""
    row = [node.name, *(_text_of(node, column) for column in _COLUMNS)]
    while row[-1] is None:
        row.pop()
    return row


def _text_of(node: Node, column: str) -> t.Any:
    value = getattr(node, column)
    if column in _READ:
        return None if value is None else str(value)
    if column in _MACS:
        return None if value == vtep_mac(node.name, _MACS[column]) else value
    return value or None


def _block_row(block: Block, pools: t.Mapping[str, int]) -> Row:
    """Return a block with the number of its pool, and who borrows and what is held by the numbers of its addresses."""
    first = int(block.cidr.network_address)
    borrowed = [[int(address) - first, holder] for address, holder in block.borrowed]
    return [str(block.cidr), block.node, pools[block.pool.name], borrowed, [int(held) - first for held in block.held]]


def _differing(host: Host) -> dict[str, t.Any]:
    """Return what of a host is not as its class has it anyway."""
    values = ((field, getattr(host, field.name)) for field in dataclasses.fields(host))
    return {field.name: value for field, value in values if value != field.default}


def whole(given: t.Any, only: t.Container[str] | None = None) -> Plan:
    """Return the whole plan (data) of an option "plan", which may be compact.

    "moved" in it asks for what a node has while modes change, before or after it has moved: see transition.staged.
    only: the parts that are needed, None for all. Raises InvalidInput for what is no plan.
    """
    if isinstance(given, t.Mapping) and "table" in given:
        plan = _expanded(given)
    else:
        plan = complete(NodePlan, given, "plan", only)
    return plan if plan.get("moved") is None else staged(plan, plan["moved"])


def _expanded(given: t.Mapping[str, t.Any]) -> Plan:
    try:
        agreed, change = unpack(given["table"])
    except (LookupError, TypeError, AttributeError, ValueError, zlib.error) as error:
        raise InvalidInput(
            f"plan.table is not a table of a cluster: {error}", remedy="Give it as calico_plan returned it"
        ) from error
    name = given.get("node")
    if not isinstance(name, str) or name not in agreed.hosts:
        raise InvalidInput(
            f'plan.node: the table has no host "{name}"', remedy="Give node and table of one result of calico_plan"
        )
    return {**given, **made(agreed, change, name)}


def made(agreed: Ready, change: ModeChange | None, name: str) -> Plan:
    """Return the plan (data) of one node, with how it makes a change of modes if there is one."""
    plan = plan_of(agreed, name).as_dict()
    if change is None:
        return plan
    return {**plan, "transition": transition_of(change, name, agreed.hosts[name]).as_dict()}


def unpack(text: t.Any) -> tuple[Ready, ModeChange | None]:
    """Return what pack was given; bgps, which only checks need, is empty."""
    table = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    pools = tuple(map(IPPool.from_document, table["pools"]))
    found = list(map(BGPConfiguration.from_document, table["configurations"]))
    cluster = Cluster(
        pools=pools,
        nodes={row[0]: _node(*row) for row in table["nodes"]},
        blocks=tuple(_block(pools, *row) for row in table["blocks"]),
        probes={
            name: tuple((pool, ipaddress.ip_address(address)) for pool, address in of)
            for name, of in table["probes"].items()
        },
        peers=tuple(map(BGPPeer.from_document, table["peers"])),
        filters=table["filters"],
        bgp=found[0],
        node_bgp={each.node: each for each in found if each.node is not None},
        reserved=tuple(map(ipaddress.ip_network, table["reserved"])),
    )
    agreed = Ready(
        cluster, {name: Host.from_facts(host) for name, host in table["hosts"].items()}, bgps={}, **table["rules"]
    )
    if table["bird_first"] is None:
        return agreed, None
    return agreed, ModeChange(_with_pools(cluster, table["old_pools"]), cluster, agreed.bird, table["bird_first"])


def _node(name: str, *texts: t.Any) -> Node:
    given = {column: text for column, text in zip(_COLUMNS, texts) if text is not None}
    read: dict[str, t.Any] = {
        column: _READ[column](text) if column in _READ else text for column, text in given.items()
    }
    return Node(name, **read)


def _block(pools: t.Sequence[IPPool], cidr: str, node: str | None, pool: int, borrowed: Row, held: Row) -> Block:
    network = ipaddress.ip_network(cidr)
    borrowing = tuple((network[number], holder) for number, holder in borrowed)
    return Block(network, node, pools[pool], borrowing, tuple(network[number] for number in held))


def _with_pools(cluster: Cluster, documents: t.Iterable[dict[str, t.Any]]) -> Cluster:
    """Return a cluster with the modes that its pools had before."""
    pools = {pool.name: pool for pool in map(IPPool.from_document, documents)}
    blocks = tuple(dataclasses.replace(block, pool=pools[block.pool.name]) for block in cluster.blocks)
    return dataclasses.replace(cluster, pools=tuple(pools.values()), blocks=blocks)
