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
    """Yield each allocated address of a block with its attribute; addresses in cool-down are left out."""
    first = network(block).network_address
    attributes = block["spec"]["attributes"] or []
    for ordinal, index in enumerate(block["spec"]["allocations"]):
        if index is not None and index < len(attributes) and not attributes[index].get("releasedAt"):
            yield first + ordinal, attributes[index]


def allocate(block: Document, ordinal: int, handle: str, attributes: t.Mapping[str, str]) -> Document:
    """Return the block with one free ordinal given to a handle; equal attributes are shared, as Calico does."""
    result = copy.deepcopy(block)
    spec = result["spec"]
    spec["unallocated"].remove(ordinal)
    entry = {"handle_id": handle, "secondary": dict(attributes)}
    spec["attributes"] = spec["attributes"] or []
    if entry not in spec["attributes"]:
        spec["attributes"].append(entry)
    spec["allocations"][ordinal] = spec["attributes"].index(entry)
    spec["sequenceNumberForAllocation"] = {
        **(spec.get("sequenceNumberForAllocation") or {}),
        str(ordinal): spec["sequenceNumber"],
    }
    spec["sequenceNumber"] += 1
    return result


def release(block: Document, handles: t.Container[str]) -> Document:
    """Return the block without the allocations of some handles; freed ordinals join the tail of the free list."""
    result = copy.deepcopy(block)
    spec = result["spec"]
    old = spec["attributes"] or []
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
    spec["sequenceNumber"] += 1
    return result


def handle_document(handle: str, counts: t.Mapping[str, int]) -> Document:
    """Return a handle: how many addresses it holds in each block, by CIDR."""
    spec = {"handleID": handle, "block": dict(sorted(counts.items())), "deleted": False}
    return {"apiVersion": API_VERSION, "kind": "IPAMHandle", "metadata": {"name": handle.lower()}, "spec": spec}
