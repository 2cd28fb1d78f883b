# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of an inventory to the documents of a cluster: the first arrow, as a pure function."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.marks import INVENTORY, MANAGED_LABEL
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.resources.conversion import converted
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.lists import documents_of

Variables = t.Mapping[str, t.Any]
Document = t.Dict[str, t.Any]

_POOL = {"name", "labels", "encapsulation", "ipip_mode", "vxlan_mode", *options.IPPOOL}
_PEER = {"name", "labels", "password", *options.BGP_PEER}
_FILTER = {"name", "labels", *options.BGP_FILTER}
_CONFIGURATION = {"labels", "node_mesh_password", *options.BGP_CONFIGURATION, *options.SERVICE_RANGES}


def documents(
    *,
    pools: t.Sequence[Variables] = (),
    nodes: t.Sequence[Variables] = (),
    peers: t.Sequence[Variables] = (),
    filters: t.Sequence[Variables] = (),
    bgp_configuration: Variables | None = None,
    extra: t.Sequence[Document] = (),
) -> list[Document]:
    """Return the documents that an inventory asks for.

    pools, peers, filters: the options of calico_ippool, calico_bgp_peer, calico_bgp_filter; nodes: host, name, address
    (CIDR), ipv6_address (CIDR, beside an IPv4 one), labels, as_number, route_reflector_cluster_id; extra: documents as
    they are. Raises InvalidInput for unknown keys and double names.
    """
    problems: list[InvalidInput] = []
    made: list[Document] = []
    pools = _rows("calico_ip_pools", pools, option_specs.IPPOOL, problems)
    filters = _rows("calico_bgp_filters", filters, option_specs.BGP_FILTER, problems)
    peers = _rows("calico_bgp_peers", peers, option_specs.BGP_PEER, problems)
    settings = converted("calico_bgp_configuration", bgp_configuration or {}, option_specs.BGP_CONFIGURATION, problems)
    lists = (
        ("calico_ip_pools", pools, _POOL),
        ("calico_bgp_filters", filters, _FILTER),
        ("calico_bgp_peers", peers, _PEER),
    )
    for variable, rows, known in lists:
        for index, row in enumerate(rows):
            problems += _unknown(f"{variable}[{index}]", row, known)
            if not row.get("name"):
                problems.append(InvalidInput(f"{variable}[{index}] has no name", remedy="Give it one"))
    for index, pool in enumerate(pools):
        if pool.get("encapsulation") not in (None, *ENCAPSULATIONS):
            message = f'calico_ip_pools[{index}]: encapsulation "{pool["encapsulation"]}" does not exist'
            problems.append(InvalidInput(message, remedy=f"Use one of {', '.join(ENCAPSULATIONS)}"))
    problems += _unknown_in_rules(filters)
    problems += _unknown("calico_bgp_configuration", settings, _CONFIGURATION)
    problems += _double_names(nodes)
    raise_all(problems)
    made += [options.ippool(pool) for pool in pools]
    made += [options.node(_node(node)) for node in nodes]
    made += [_of_inventory(options.bgp_filter(item)) for item in filters]
    made += [_of_inventory(options.bgp_peer(peer)) for peer in peers]
    if settings:
        made.append(options.bgp_configuration({"name": "default", **settings}))
    return [*made, *documents_of(list(extra))]


def pools_of(pools: t.Sequence[Variables]) -> list[IPPool]:
    """Return the pools of calico_ip_pools; raises InvalidInput for what is wrong with them."""
    return [IPPool.from_document(document) for document in documents(pools=pools)]


def _rows(
    variable: str, rows: t.Any, specs: t.Mapping[str, t.Mapping[str, t.Any]], problems: list[InvalidInput]
) -> list[dict[str, t.Any]]:
    """Return the mappings of a variable with the types of a module's options."""
    if not isinstance(rows, (list, tuple)):
        problems.append(InvalidInput(f"{variable} is no list", remedy="Write a list of mappings, even of one"))
        return []
    named = {"name": {"type": "str"}, **specs}
    return [converted(f"{variable}[{index}]", row, named, problems) for index, row in enumerate(rows)]


def _of_inventory(document: Document) -> Document:
    """Return a document with the label by which it goes from the datastore when it has gone from the inventory."""
    metadata = document["metadata"]
    return {
        **document,
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), MANAGED_LABEL: INVENTORY}},
    }


def _unknown(where: str, row: Variables, known: t.Collection[str]) -> t.Iterator[InvalidInput]:
    for key in sorted(set(row) - set(known)):
        near = difflib.get_close_matches(key, known, n=1)
        remedy = f"Do you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known))}"
        yield InvalidInput(f'{where}: there is no option "{key}"', remedy=remedy)


def _unknown_in_rules(filters: t.Sequence[Variables]) -> t.Iterator[InvalidInput]:
    """Yield unknown keys in the rules of filters and in their operations; other shapes are the model's to refuse."""
    for number, row in enumerate(filters):
        for option in options.BGP_FILTER:
            for path, rule in _mappings(f"calico_bgp_filters[{number}].{option}", row.get(option)):
                yield from _unknown(path, rule, options.BGP_FILTER_RULE)
                for inner, operation in _mappings(f"{path}.operations", rule.get("operations")):
                    yield from _unknown(inner, operation, options.BGP_FILTER_OPERATION)


def _mappings(path: str, items: t.Any) -> t.Iterator[tuple[str, Variables]]:
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, t.Mapping):
            yield f"{path}[{index}]", item


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
    return {**fields, "ipv6_address": node.get("ipv6_address"), family: node["address"]}
