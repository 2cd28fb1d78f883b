# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The datastore in an audit: what the inventory would change there, and what is left of nodes that are gone; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import compare
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import STALE, Finding, finding, of_change

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot

Document = t.Mapping[str, t.Any]
_REMOVE = "Run podnet.calico.remove_node -e calico_remove={0}, or put {0} into the inventory"
_RELEASE = "Run calico_ipam with nodes: [{0}] and state: absent"


def of_datastore(
    stored: Snapshot, nodes: t.Collection[str], seen: t.Sequence[str], resources: t.Sequence[dict[str, t.Any]], now: int
) -> list[Finding]:
    """Return what is wrong in the datastore.

    nodes: names of all nodes of the inventory; seen: those of them that resources (documents) is made from, which
    excludes hosts that could not be reached. now: nanoseconds.
    """
    wanted = put(stored, resources)
    after = ipam.claim(wanted, seen, now=now)
    return [
        *map(of_change, compare("document", _contents(stored, wanted), _contents(wanted, wanted))),
        *map(of_change, ipam.differences(wanted, after)),
        *_gone(stored, nodes),
    ]


def _contents(snapshot: Snapshot, keys: t.Iterable[tuple[str, str]]) -> dict[str, t.Any]:
    """Return labels and spec of those documents that have one of the keys, but for IPAM's own."""
    return {
        f"{kind} {name}": {"labels": snapshot[kind, name]["metadata"].get("labels"), **snapshot[kind, name]["spec"]}
        for kind, name in keys
        if (kind, name) in snapshot and not kind.startswith(("IPAM", "BlockAffinity"))
    }


def _gone(stored: Snapshot, nodes: t.Collection[str]) -> t.Iterator[Finding]:
    """Yield Nodes that are not in the inventory, and what belongs to nodes that are not even stored."""
    there = {name for kind, name in stored if kind == "Node"}
    for name in sorted(there - set(nodes)):
        yield finding(
            STALE, "document", f"Node {name}", "a host of the inventory", "there is none", remedy=_REMOVE.format(name)
        )
    for (kind, name), document in sorted(stored.items()):
        if kind == "IPAMBlock":
            yield from _of_block(document, there)
        elif kind == "BlockAffinity" and document["spec"]["node"] not in there:
            node = document["spec"]["node"]
            yield _of_gone("block", f"affinity {name}", node)
        elif kind == "IPAMHandle" and not _is_used(document, stored):
            yield finding(STALE, "address", f"handle {name}", "", "no address has it", remedy="Delete the IPAMHandle")


def _of_block(block: dict[str, t.Any], there: t.Container[str]) -> t.Iterator[Finding]:
    owner, cidr = records.owner(block), block["spec"]["cidr"]
    if owner and owner not in there:
        yield _of_gone("block", str(cidr), owner)
    for address, entry in records.allocations(block):
        holder = entry["secondary"].get("node")
        if holder and holder not in there:
            yield _of_gone("address", str(address), holder)


def _of_gone(kind: str, name: str, node: str) -> Finding:
    return finding(STALE, kind, name, "", f"of node {node}, which does not exist", remedy=_RELEASE.format(node))


def _is_used(handle: Document, stored: Snapshot) -> bool:
    spec = handle["spec"]
    blocks = [document for (kind, __), document in stored.items() if kind == "IPAMBlock"]
    return any(
        entry.get("handle_id") == spec.get("handleID", handle["metadata"]["name"])
        for block in blocks
        if block["spec"]["cidr"] in spec["block"]
        for __, entry in records.allocations(block)
    )
