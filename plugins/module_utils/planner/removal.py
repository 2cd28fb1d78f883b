# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes when a node is removed, and what names it: in documents, as pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import host_prefix
from ansible_collections.podnet.calico.plugins.module_utils.marks import INVENTORY, MANAGED_LABEL
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner import lint
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam_ledger import TUNNELS, probe_handle
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import CUT_OFF

Document = t.Mapping[str, t.Any]

_NODE_KEYS = ("node", "nodeName", "affinity")  # of BGPPeer, BlockAffinity and attributes of blocks; orchRefs; IPAMBlock
_TUNNEL_FIELDS = ("ipv4VXLANTunnelAddr", "ipv6VXLANTunnelAddr")


def removal(documents: t.Sequence[Document], name: str, known: t.Iterable[str] = ()) -> dict[str, t.Any]:
    """Return what goes with a node, for modules.

    documents: everything that is stored, in canonical form. known: addresses of the node that are known otherwise, with
    or without prefix length. Returns node; addresses (underlay and tunnels, as texts); cidrs: its blocks
    and the single addresses that it borrowed, without blocks of which others have borrowed, since these stay;
    documents to delete; unused_filters: BGPFilters that no peer names afterwards, which stay.
    """
    nodes = [each for each in documents if _is(each, "Node", name)]
    underlay = {_bare(text) for text in known}
    underlay |= {
        _bare(text) for node in nodes for text in _fields(node["spec"].get("bgp"), "ipv4Address", "ipv6Address")
    }
    tunnels = {text for node in nodes for text in _fields(node["spec"], *_TUNNEL_FIELDS)}
    tunnels |= {text for node in nodes for text in _fields(node["spec"].get("bgp"), "ipv4IPIPTunnelAddr")}
    pools = {each["spec"]["cidr"] for each in documents if each["kind"] == "IPPool"}  # a pool of one block stays
    going = [each for each in documents if _goes(each, name, underlay)]
    return {
        "node": name,
        "addresses": sorted(underlay | tunnels),
        "cidrs": sorted(set(_cidrs(documents, name)) - pools),
        "documents": [{key: each[key] for key in ("apiVersion", "kind", "metadata")} for each in going],
        "unused_filters": sorted(_filters(going) - _filters(each for each in documents if each not in going)),
    }


def cut_off_without(
    stored: t.Iterable[Document],
    going: t.Iterable[Document],
    wanted: t.Iterable[Document],
    bgp: str = "auto",
    allowed: t.Iterable[str] = (),
) -> list[str]:
    """Return why nodes that stay would have no routes to each other, in the words of the lint and the plan.

    stored: everything, in canonical form. going: what is deleted. wanted: what the inventory of the others asks for;
    addresses of Nodes are taken from what is stored. bgp, allowed: calico_bgp, calico_allow_cut_off.
    """
    asked = {_key(each): each for each in wanted}
    gone = {_key(each) for each in going}
    left = {
        key: each
        for each in stored
        if (key := _key(each)) not in gone and (not _is_marked(each) or key in asked)  # as deploy prunes
    }
    for key, each in asked.items():
        if key[0] != "Node":
            left[key] = each
        elif key in left:
            bgp_spec = {**each["spec"].get("bgp", {}), **_addresses(left[key])}
            left[key] = {**each, "spec": {**each["spec"], "bgp": bgp_spec}}
    report = lint.report(list(left.values()), bgp, excused=allowed)
    refused = (*CUT_OFF, "direct-between-subnets")
    return [str(found.refusal()) for found in report.findings if found.rule in refused]


def _key(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _is_marked(document: Document) -> bool:
    return (document["metadata"].get("labels") or {}).get(MANAGED_LABEL) == INVENTORY


def _addresses(node: Document) -> dict[str, t.Any]:
    bgp = node["spec"].get("bgp") or {}
    return {key: bgp[key] for key in ("ipv4Address", "ipv6Address") if bgp.get(key)}


def _is(document: Document, kind: str, name: str) -> bool:
    return bool(document["kind"] == kind and document["metadata"]["name"] == name)


def _fields(values: t.Mapping[str, t.Any] | None, *keys: str) -> list[str]:
    return [values[key] for key in keys if values.get(key)] if values else []


def _bare(text: str) -> str:
    return text.partition("/")[0]


def _goes(document: Document, name: str, underlay: t.Container[str]) -> bool:
    """Tell whether a document is the node, its BGPConfiguration, or a BGPPeer of it or to it."""
    if _is(document, "Node", name) or _is(document, "BGPConfiguration", f"node.{name}"):
        return True
    spec = document.get("spec") or {}
    return document["kind"] == "BGPPeer" and (
        spec.get("node") == name or _host_of(str(spec.get("peerIP") or "")) in underlay
    )


def _host_of(text: str) -> str:
    """Return an address without a port or a prefix length: of 192.0.2.1:179, [2001:db8::1]:179, 192.0.2.1/24."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else _bare(text)


def _cidrs(documents: t.Iterable[Document], name: str) -> t.Iterator[str]:
    for document in documents:
        if document["kind"] != "IPAMBlock":
            continue
        block = t.cast("dict[str, t.Any]", document)
        holders = {address: entry["secondary"].get("node") for address, entry in records.allocations(block)}
        if records.owner(block) == name:
            if set(holders.values()) <= {name, None}:
                yield str(block["spec"]["cidr"])
        else:
            yield from (host_prefix(address) for address, holder in holders.items() if holder == name)


def _filters(documents: t.Iterable[Document]) -> set[str]:
    return {name for each in documents if each["kind"] == "BGPPeer" for name in each["spec"].get("filters", [])}


def naming(documents: t.Iterable[Document], name: str, addresses: t.Iterable[str], cidrs: t.Iterable[str]) -> list[str]:
    """Return the documents that name a node, one of its addresses or one of its blocks, and where they do.

    Labels and annotations are the user's own words, and are not looked at.
    """
    texts = {*addresses, *cidrs}
    handles = {probe_handle(name), *(f"{use.handle}{name}" for use in TUNNELS)}
    found = []
    for each in documents:
        own = each["metadata"]["name"]
        if _is(each, "Node", name) or _is(each, "BGPConfiguration", f"node.{name}"):
            found.append(f"{each['kind']} {own}")
        elif each["kind"] == "IPAMHandle" and own in handles:
            found.append(f"IPAMHandle {own}")
        else:
            found += [f"{each['kind']} {own}: {path}" for path in _paths(each.get("spec"), "spec", name, texts)]
    return found


def _paths(value: t.Any, path: str, name: str, texts: t.Container[str]) -> t.Iterator[str]:
    """Yield the paths of texts that mean the node, and what they say."""
    if isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}", name, texts)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _paths(item, f"{path}[{index}]", name, texts)
    elif isinstance(value, str) and _means(value, path.rpartition(".")[2], name, texts):
        yield f"{path} {value}"


def _means(value: str, key: str, name: str, texts: t.Container[str]) -> bool:
    if key in _NODE_KEYS and value in (name, f"host:{name}"):
        return True
    if key.endswith("elector") and (f"'{name}'" in value or f'"{name}"' in value):
        return True
    return value in texts or _host_of(value) in texts
