# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks and addresses of the pools belong to a node: Calico's rules as a pure function.

A node gets one block of every pool that selects it, the first free one in Calico's order (a pseudo-random start
that depends on the node's name, then on from there), so that the answer does not depend on the order of nodes.
What a node has it keeps. Tunnel addresses follow Calico's rules for pools that allow the use "Tunnel". One
address per block, the last, is kept for the probe pod of the verification.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam_ledger import TUNNELS, Ledger, note_of, noted

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot

Document = t.Dict[str, t.Any]

RECORDS = ("IPAMBlock", "BlockAffinity", "IPAMHandle")
"""Kinds of documents in which claims are noted."""


def claim(snapshot: Snapshot, nodes: t.Iterable[str], *, now: int, keep: bool = False) -> Snapshot:
    """Return the snapshot in which each node has its blocks, tunnel addresses and probe addresses.

    now: wall clock in nanoseconds since 1970, for the sequence numbers of new blocks. keep: tunnel addresses stay, too,
    that no pool wants any more. Raises InvalidInput for a node without Node object, for a pool without free block and
    for a node above its limit of blocks.
    """
    ledger = Ledger(snapshot, now)
    for node in sorted(set(nodes)):
        ledger.claim_blocks(node)
    for node in sorted(set(nodes)):
        for use in TUNNELS:
            ledger.assign_tunnel(node, use, keep=keep)
        ledger.assign_probes(node)
    return ledger.snapshot


def give_up(snapshot: Snapshot, nodes: t.Iterable[str], *, now: int) -> Snapshot:
    """Return the snapshot in which the nodes hold no address and no block any more."""
    ledger = Ledger(snapshot, now)
    for node in sorted(set(nodes)):
        ledger.release_node(node)
    return ledger.snapshot


def only_claims(stored: Snapshot, claimed: Snapshot) -> Snapshot:
    """Return what is stored with the blocks and addresses of another snapshot, and nothing else of that."""
    result = {key: document for key, document in stored.items() if key[0] not in RECORDS}
    result.update((key, document) for key, document in claimed.items() if key[0] in RECORDS)
    for key, document in stored.items():
        if key[0] == "Node" and key in claimed:
            for use in TUNNELS:
                document = noted(document, use.path, note_of(claimed[key]["spec"], use.path))
            result[key] = document
    return result


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return what changed as a person sees it: blocks with their node, addresses with their use."""
    old, new = _holdings(before), _holdings(after)
    keys = sorted({*old, *new})
    return [
        Change(kind, name, old.get((kind, name)), new.get((kind, name)))
        for kind, name in keys
        if old.get((kind, name)) != new.get((kind, name))
    ]


def _holdings(snapshot: Snapshot) -> dict[tuple[str, str], Document]:
    found: dict[tuple[str, str], Document] = {}
    for (kind, name), document in snapshot.items():
        if kind == "IPAMBlock":
            found["block", document["spec"]["cidr"]] = {"node": records.owner(document)}
            for address, entry in records.allocations(document):
                use = entry["secondary"].get("type") or entry["secondary"].get("pod") or entry.get("handle_id")
                found["address", str(address)] = {"node": entry["secondary"].get("node"), "use": use}
        elif kind == "Node":
            for use in TUNNELS:
                value = note_of(document["spec"], use.path)
                if value:
                    found["node", f"{name} {use.path[-1]}"] = {"address": value}
    return found
