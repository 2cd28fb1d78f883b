# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's IPAM records as documents: blocks, affinities and handles, and the changes they may go through.

Shapes and rules: Calico's IPAMBlock, BlockAffinity and IPAMHandle (allocations are indexes into the attributes,
the free list is first in, first out, every write raises the sequence number, an attribute carries its node).
All functions return new documents and leave their arguments as they are.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network

API_VERSION = "projectcalico.org/v3"
Document = t.Dict[str, t.Any]


def cidr_name(cidr: Network) -> str:
    """Return the object name of a block: its CIDR with dots, colons and the slash as dashes."""
    return str(cidr).replace(".", "-").replace(":", "-").replace("/", "-")


def new_block(cidr: Network, node: str, now: int) -> Document:
    """Return an empty block claimed by a node; now is the wall clock in nanoseconds since 1970."""
    size = cidr.num_addresses
    spec = {
        "cidr": str(cidr),
        "affinity": f"host:{node}",
        "allocations": [None] * size,
        "unallocated": list(range(size)),
        "attributes": [],
        "sequenceNumber": now,
        "sequenceNumberForAllocation": {},
        "deleted": False,
        "strictAffinity": False,
    }
    return {"apiVersion": API_VERSION, "kind": "IPAMBlock", "metadata": {"name": cidr_name(cidr)}, "spec": spec}


def new_affinity(cidr: Network, node: str) -> Document:
    """Return a confirmed affinity with the labels by which Calico lists a node's affinities."""
    digest = base64.b32encode(hashlib.sha3_256(node.encode()).digest()).decode().rstrip("=")
    labels = {
        "projectcalico.org/hostname-hash": digest,
        "projectcalico.org/affinity-type": "host",
        "projectcalico.org/ip-version": str(cidr.version),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "BlockAffinity",
        "metadata": {"name": affinity_name(cidr, node), "labels": labels},
        "spec": {"state": "confirmed", "node": node, "type": "host", "cidr": str(cidr), "deleted": False},
    }


def affinity_name(cidr: Network, node: str) -> str:
    """Return the object name of a node's affinity to a block, shortened as Calico does from 253 characters on."""
    name = cidr_name(cidr)
    if len(node) + 1 + len(name) < 253:
        return f"{node}-{name}"
    digest = hashlib.sha256(f"{node}+{name}".encode()).hexdigest()[:11]
    return f"{node[: 252 - len(name) - 13]}-{name}-{digest}"


def owner(block: Document) -> str | None:
    """Return the node that a block is affine to, or None."""
    affinity = block["spec"].get("affinity") or ""
    return affinity[len("host:") :] if affinity.startswith("host:") else None


def network(document: Document) -> Network:
    """Return the CIDR of a block or an affinity."""
    return ipaddress.ip_network(document["spec"]["cidr"])


def allocations(block: Document) -> t.Iterator[tuple[Address, Document]]:
    """Yield each allocated address of a block with its attribute; addresses in cool-down are left out.

    An attribute always has secondary, if only an empty one.
    """
    first = network(block).network_address
    attributes = block["spec"].get("attributes") or []
    for ordinal, index in enumerate(block["spec"].get("allocations") or []):
        if index is not None and index < len(attributes) and not attributes[index].get("releasedAt"):
            yield first + ordinal, {**attributes[index], "secondary": attributes[index].get("secondary") or {}}


def refuse_broken(documents: t.Iterable[Document]) -> None:
    """Raise InvalidInput with the names of all blocks and affinities that cannot be worked with."""
    checks = {"IPAMBlock": _block_problem, "BlockAffinity": _affinity_problem}
    found = ((each, checks[each["kind"]](each)) for each in documents if each["kind"] in checks)
    raise_all(
        [
            InvalidInput(
                f'{each["kind"]} "{each["metadata"]["name"]}": {problem}',
                remedy="Restore it from a backup; where no pod has an address of the block, it may be deleted",
            )
            for each, problem in found
            if problem
        ]
    )


def _affinity_problem(document: Document) -> str:
    expected = affinity_name(network(document), document["spec"]["node"])
    return "" if document["metadata"]["name"] == expected else f"for its node and block the name is {expected}"


def _block_problem(document: Document) -> str:
    """Return what is wrong in a block, as far as its fields do not fit each other; empty for nothing."""
    spec, size = document["spec"], network(document).num_addresses
    if document["metadata"]["name"] != cidr_name(network(document)):
        return f"for its cidr the name is {cidr_name(network(document))}"
    allocations, unallocated = spec.get("allocations") or [], spec.get("unallocated") or []
    if len(allocations) != size:
        return f"spec.allocations has {len(allocations)} entries, and the block {size} addresses"
    free = set(unallocated)
    if len(free) != len(unallocated) or any(ordinal >= size or allocations[ordinal] is not None for ordinal in free):
        return "spec.unallocated names an address twice, one that is allocated, or one beyond the block"
    return ""


def raise_sequence(spec: Document) -> None:
    """Count a write to a block."""
    spec["sequenceNumber"] = (spec.get("sequenceNumber") or 0) + 1


def allocate(block: Document, ordinal: int, handle: str, attributes: t.Mapping[str, str]) -> Document:
    """Return the block with one free ordinal given to a handle; equal attributes are shared, as Calico does."""
    result = copy.deepcopy(block)
    spec = result["spec"]
    spec["unallocated"].remove(ordinal)
    entry = {"handle_id": handle, "secondary": dict(attributes)}
    spec["attributes"] = spec.get("attributes") or []
    if entry not in spec["attributes"]:
        spec["attributes"].append(entry)
    spec["allocations"][ordinal] = spec["attributes"].index(entry)
    spec["sequenceNumberForAllocation"] = {
        **(spec.get("sequenceNumberForAllocation") or {}),
        str(ordinal): spec.get("sequenceNumber") or 0,
    }
    raise_sequence(spec)
    return result


def release(block: Document, handles: t.Container[str]) -> Document:
    """Return the block without the allocations of some handles; freed ordinals join the tail of the free list."""
    result = copy.deepcopy(block)
    spec = result["spec"]
    old = spec.get("attributes") or []
    gone = {index for index, entry in enumerate(old) if entry.get("handle_id") in handles}
    if not gone:
        return result
    kept = [index for index in range(len(old)) if index not in gone]
    for ordinal, index in enumerate(spec["allocations"]):
        if index in gone:
            spec["allocations"][ordinal] = None
            spec["unallocated"].append(ordinal)
            (spec.get("sequenceNumberForAllocation") or {}).pop(str(ordinal), None)
        elif index is not None:
            spec["allocations"][ordinal] = kept.index(index)
    spec["attributes"] = [old[index] for index in kept]
    raise_sequence(spec)
    return result


def handle_document(handle: str, counts: t.Mapping[str, int]) -> Document:
    """Return a handle: how many addresses it holds in each block, by CIDR."""
    spec = {"handleID": handle, "block": dict(sorted(counts.items())), "deleted": False}
    return {"apiVersion": API_VERSION, "kind": "IPAMHandle", "metadata": {"name": handle.lower()}, "spec": spec}
