# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of an inventory to the documents of a cluster: the first arrow, as a pure function."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import ENCAPSULATIONS

Variables = t.Mapping[str, t.Any]
Document = t.Dict[str, t.Any]

_POOL = {"name", "labels", "encapsulation", "ipip_mode", "vxlan_mode", *options.IPPOOL}
_PEER = {"name", "labels", "password", *options.BGP_PEER}
_CONFIGURATION = {"labels", "node_mesh_password", *options.BGP_CONFIGURATION, *options.SERVICE_RANGES}


def documents(
    *,
    pools: t.Sequence[Variables] = (),
    nodes: t.Sequence[Variables] = (),
    peers: t.Sequence[Variables] = (),
    bgp_configuration: Variables | None = None,
    extra: t.Sequence[Document] = (),
) -> list[Document]:
    """Return the documents that an inventory asks for.

    pools, peers: the options of calico_ippool and calico_bgp_peer; nodes: host, name, address (CIDR), labels,
    as_number, route_reflector_cluster_id; extra: documents as they are. Raises InvalidInput for unknown keys and double
    names.
    """
    problems: list[InvalidInput] = []
    made: list[Document] = []
    for variable, rows, known in (("calico_ip_pools", pools, _POOL), ("calico_bgp_peers", peers, _PEER)):
        for index, row in enumerate(rows):
            problems += _unknown(f"{variable}[{index}]", row, known)
            if not row.get("name"):
                problems.append(InvalidInput(f"{variable}[{index}] has no name", remedy="Give it one"))
    for index, pool in enumerate(pools):
        if pool.get("encapsulation") not in (None, *ENCAPSULATIONS):
            message = f'calico_ip_pools[{index}]: encapsulation "{pool["encapsulation"]}" does not exist'
            problems.append(InvalidInput(message, remedy=f"Use one of {', '.join(ENCAPSULATIONS)}"))
    problems += _unknown("calico_bgp_configuration", bgp_configuration or {}, _CONFIGURATION)
    problems += _double_names(nodes)
    raise_all(problems)
    made += [options.ippool(pool) for pool in pools]
    made += [options.node(_node(node)) for node in nodes]
    made += [options.bgp_peer(peer) for peer in peers]
    if bgp_configuration:
        made.append(options.bgp_configuration({"name": "default", **bgp_configuration}))
    return [*made, *extra]


def _unknown(where: str, row: Variables, known: t.Collection[str]) -> t.Iterator[InvalidInput]:
    for key in sorted(set(row) - set(known)):
        near = difflib.get_close_matches(key, known, n=1)
        remedy = f"Do you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known))}"
        yield InvalidInput(f'{where}: there is no option "{key}"', remedy=remedy)


def _double_names(nodes: t.Sequence[Variables]) -> t.Iterator[InvalidInput]:
    hosts: dict[str, list[str]] = {}
    for node in nodes:
        hosts.setdefault(node["name"], []).append(node.get("host") or node["name"])
    for name, named in hosts.items():
        if len(named) > 1:
            yield InvalidInput(
                f'hosts {" and ".join(named)} have one calico_node_name, "{name}"', remedy="Give each host its own"
            )


def _node(node: Variables) -> Document:
    family = "ipv6_address" if ":" in node["address"] else "ipv4_address"
    fields = {key: node.get(key) for key in ("name", "labels", "as_number", "route_reflector_cluster_id")}
    return {**fields, family: node["address"]}
