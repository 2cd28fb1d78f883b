# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong in the resources of Calico's IPAM: IPReservation, IPAMConfiguration, and records of claims.

Rules follow Calico v3.32 (its CRDs; lib/clientv3/ipamconfig.go, lib/ipam). Records may have further fields, which
other versions of Calico write.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import read_interface
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import Reading

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

MAX_BLOCKS = 1_000_000
STATES = ("", "confirmed", "pending", "pendingDeletion")

_CONFIGURATION = (
    *("strictAffinity", "autoAllocateBlocks", "maxBlocksPerHost", "kubeVirtVMAddressPersistence"),
    *("ipCooldownSeconds", "minIPReclaimAgeSeconds"),  # since Calico v3.33
)
_AFFINITY = re.compile(r"(host|virtual):[A-Za-z0-9._-]+")
_FROM_A_BACKUP = "Restore the object from a backup; if no pod has an address of its block, it may be deleted"


def check_reservation(reading: Reading) -> None:
    """Check an IPReservation: addresses and networks, whose host bits do not count; what is empty is left out."""
    spec = reading.spec
    spec.only(("reservedCIDRs",))
    check_networks(spec, "reservedCIDRs")
    if not reading.problems and "reservedCIDRs" in spec.values:
        spec.values = {"reservedCIDRs": [value for value in spec.items("reservedCIDRs") if value not in (None, "")]}


def check_networks(spec: Fields, key: str, version: int = 0) -> None:
    """Refuse what is neither a network nor an address, of one IP version if one is given, in a list; "" is nothing."""
    for index, value in enumerate(spec.items(key)):
        if value in (None, "") and not version:
            continue
        if not is_network_or_address(value):
            remedy = "Write it like 10.244.0.0/28, 10.244.0.5 or fd00::/120"
            spec.refuse(f"{key}[{index}]", "is neither a network nor an address", remedy, value=value)
        elif version and read_interface(value).version != version:
            spec.refuse(f"{key}[{index}]", f"is not IPv{version}", "Leave it out", value=value)


def is_network_or_address(value: t.Any) -> bool:
    """Tell whether a value is a text such as 10.0.0.0/8, 10.0.0.5 or fd00::/120."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f.:]+(/[0-9]{1,9})?", value):
        return False
    try:
        read_interface(value)
    except ValueError:
        return False
    return True


def _is_network(value: t.Any) -> bool:
    """Tell whether a value is the text of a network with its length and without host bits."""
    return is_network_or_address(value) and "/" in value and str(ipaddress.ip_network(value, strict=False)) == value


def check_configuration(reading: Reading) -> None:
    """Check an IPAMConfiguration."""
    spec = reading.spec
    spec.only(_CONFIGURATION)
    reading.only_default()
    strict, allocate = spec.flag("strictAffinity", False), spec.flag("autoAllocateBlocks", True)
    most = spec.number("maxBlocksPerHost", 0, MAX_BLOCKS, 0)
    spec.choice("kubeVirtVMAddressPersistence", ("Enabled", "Disabled"))
    spec.number("ipCooldownSeconds", 0, 1200)
    spec.number("minIPReclaimAgeSeconds", 0, 2**31 - 1)
    if not strict and not allocate:
        remedy = "Set one of them to true"
        spec.refuse("strictAffinity", "contradicts that autoAllocateBlocks is false", remedy, value=False)
    if most and not strict:
        remedy = "Set strictAffinity to true, or leave maxBlocksPerHost out"
        spec.refuse("maxBlocksPerHost", "needs strictAffinity: a node at its limit would borrow addresses", remedy)


def check_affinity(reading: Reading) -> None:
    """Check a BlockAffinity."""
    spec = reading.spec
    spec.require("cidr", "Give the block")
    spec.network("cidr")
    spec.require("node", "Give the name of the node")
    spec.text("node")
    spec.text("type")
    if spec.values.get("state"):
        spec.choice("state", STATES[1:])
    _check_deleted(spec)


def check_block(reading: Reading) -> None:
    """Check the types of an IPAMBlock's fields; whether they fit each other shows when it is used."""
    spec = reading.spec
    spec.require("cidr", "Give the block")
    spec.network("cidr")
    affinity = spec.text("affinity")
    if affinity is not None and not _AFFINITY.fullmatch(affinity):
        spec.refuse("affinity", "is no owner of a block", "Write it like host:node1")
    _check_ordinals(spec, "allocations", gaps=True)
    _check_ordinals(spec, "unallocated", gaps=False)
    for attribute in spec.children("attributes"):
        attribute.text("handle_id")
        _check_texts(attribute.child("secondary"))
    if spec.values.get("sequenceNumber") is not None:
        spec.number("sequenceNumber", 0, 2**64 - 1)
    numbers = spec.child("sequenceNumberForAllocation")
    for key in numbers.values:
        numbers.number(key, 0, 2**64 - 1)
    _check_deleted(spec)


def _check_ordinals(spec: Fields, key: str, *, gaps: bool) -> None:
    for index, value in enumerate(spec.items(key)):
        if (value is None and gaps) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            continue
        spec.refuse(f"{key}[{index}]", "is not a number", _FROM_A_BACKUP, value=value)


def _check_texts(fields: Fields) -> None:
    for key in fields.values:
        fields.text(key)


def check_handle(reading: Reading) -> None:
    """Check an IPAMHandle."""
    spec = reading.spec
    spec.text("handleID")
    spec.require("block", "Give the number of addresses by block, {} for none")
    counts = spec.child("block")
    for cidr in counts.values:
        counts.number(cidr, 0, 2**31 - 1)
        if not _is_network(cidr):
            spec.refuse("block", "has a key that is no network", "Write it like 10.244.0.0/26", value=cidr)
    _check_deleted(spec)


def _check_deleted(spec: Fields) -> None:
    """Refuse what is being deleted; crd.projectcalico.org/v1 writes the boolean as a text."""
    value = spec.values.get("deleted")
    if value in (True, "true"):
        spec.refuse("deleted", "says that the object is being deleted", "Leave the object out")
    elif value not in (None, False, "false", ""):
        spec.refuse("deleted", "is not a boolean", "Give false, or leave it out")
