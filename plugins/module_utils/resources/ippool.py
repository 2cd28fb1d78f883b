# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPPool: a range of pod addresses, how its traffic travels between nodes, and which nodes draw from it.

Rules and defaults follow Calico v3.32 (libcalico-go/lib/clientv3/ippool.go, lib/validator/v3).
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.ip import overlaps
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import Record, build_document

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

Mode = t.Literal["Never", "Always", "CrossSubnet"]

MODES = ("Never", "Always", "CrossSubnet")
USES = ("Workload", "Tunnel", "LoadBalancer")
ASSIGNMENT_MODES = ("Automatic", "Manual")
BLOCK_SIZES = {4: (20, 32, 26), 6: (116, 128, 122)}
"""Smallest, largest and default prefix length of a block, by IP version."""

LINK_LOCAL = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10"))
KNOWN = (
    *("cidr", "blockSize", "ipipMode", "vxlanMode", "natOutgoing", "disabled", "disableBGPExport"),
    *("nodeSelector", "namespaceSelector", "allowedUses", "assignmentMode"),
)


@dataclass(frozen=True)
class IPPool:
    """A validated pool. block_size is the prefix length of the blocks that nodes own."""

    name: str
    cidr: Network
    block_size: int = 26
    ipip_mode: Mode = "Never"
    vxlan_mode: Mode = "Never"
    nat_outgoing: bool = False
    disabled: bool = False
    disable_bgp_export: bool = False
    node_selector: str = "all()"
    namespace_selector: str | None = None
    allowed_uses: tuple[str, ...] = ("Workload", "Tunnel")
    assignment_mode: str = "Automatic"
    labels: t.Mapping[str, str] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    @property
    def encapsulation(self) -> str:
        """Return the operator's name of the mode."""
        names = {modes: name for name, modes in ENCAPSULATIONS.items()}
        return names[(self.ipip_mode, self.vxlan_mode)]

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> IPPool:
        """Return the pool that a document describes, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, "IPPool")
        spec = reading.spec
        spec.only(KNOWN)
        spec.require("cidr", "Give the pool's range, for example 10.244.0.0/16")
        cidr = spec.network("cidr")
        low, high, default_size = BLOCK_SIZES[6 if ":" in str(spec.values.get("cidr")) else 4]
        uses = _uses(spec)
        pool = cls(
            name=reading.name,
            cidr=t.cast("Network", cidr),
            block_size=spec.number("blockSize", low, high, default_size, zero_is_absent=True),
            ipip_mode=spec.choice("ipipMode", MODES, "Never", empty_is_absent=True),
            vxlan_mode=spec.choice("vxlanMode", MODES, "Never", empty_is_absent=True),
            nat_outgoing=spec.flag("natOutgoing", False),
            disabled=spec.flag("disabled", False),
            disable_bgp_export=spec.flag("disableBGPExport", False),
            node_selector=spec.selector("nodeSelector", "all()") or "all()",
            namespace_selector=spec.selector("namespaceSelector"),
            allowed_uses=uses,
            assignment_mode=spec.choice("assignmentMode", ASSIGNMENT_MODES, "Automatic"),
            labels=reading.labels,
            record=reading.record,
        )
        if cidr is not None:
            _check_range(pool, spec)
        _check_modes(pool, spec)
        _check_uses(pool, spec)
        reading.finish()
        return pool

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document, defaults filled in."""
        spec = {
            "cidr": str(self.cidr),
            "blockSize": self.block_size,
            "ipipMode": self.ipip_mode,
            "vxlanMode": self.vxlan_mode,
            "natOutgoing": self.nat_outgoing,
            "disabled": self.disabled,
            "disableBGPExport": self.disable_bgp_export,
            "nodeSelector": self.node_selector,
            "namespaceSelector": self.namespace_selector,
            "allowedUses": list(self.allowed_uses),
            "assignmentMode": self.assignment_mode,
        }
        return build_document("IPPool", self.name, self.labels, self.record, spec)


def _uses(spec: Fields) -> tuple[str, ...]:
    """Return the allowed uses as a set in a fixed order."""
    given = spec.texts("allowedUses")
    for use in given:
        if use not in USES:
            spec.refuse(
                "allowedUses", f"has an element that is not one of {', '.join(USES)}", f"Remove {use}", value=use
            )
    return tuple(use for use in USES if use in given) or ("Workload", "Tunnel")


def _check_range(pool: IPPool, spec: Fields) -> None:
    if pool.cidr.version == 4 and ":" in spec.values["cidr"]:
        spec.refuse("cidr", "is a range of IPv4 written as one of IPv6", f"Use {pool.cidr}")
    if pool.cidr.prefixlen > pool.block_size and not pool.disabled:
        complaint = f"is smaller than one block of the pool (blockSize {pool.block_size})"
        limit = BLOCK_SIZES[pool.cidr.version][1]
        remedy = f"Use a range of /{pool.block_size} or larger"
        if pool.cidr.prefixlen <= limit:
            remedy += f", or a blockSize from {pool.cidr.prefixlen} to {limit}"
        spec.refuse("cidr", complaint, remedy, value=str(pool.cidr))
    for reserved in LINK_LOCAL:
        if overlaps(pool.cidr, reserved):
            spec.refuse("cidr", f"overlaps the link-local range {reserved}", "Choose another range")


def _check_modes(pool: IPPool, spec: Fields) -> None:
    if pool.ipip_mode != "Never" and pool.vxlan_mode != "Never":
        complaint = f"contradicts vxlanMode {pool.vxlan_mode}: a pool has one encapsulation"
        spec.refuse("ipipMode", complaint, "Set ipipMode or vxlanMode to Never")
    elif pool.ipip_mode != "Never" and pool.cidr and pool.cidr.version == 6:
        spec.refuse("ipipMode", "is not possible for an IPv6 pool", "Use vxlanMode, or no encapsulation")


def _check_uses(pool: IPPool, spec: Fields) -> None:
    if pool.namespace_selector is not None and "Tunnel" in pool.allowed_uses:
        remedy = "Set allowedUses to [Workload], or leave namespaceSelector out"
        spec.refuse("namespaceSelector", "is not possible for a pool whose allowedUses has Tunnel", remedy)
    if "LoadBalancer" not in pool.allowed_uses:
        return
    if len(pool.allowed_uses) > 1:
        spec.refuse("allowedUses", "combines LoadBalancer with other uses", "Make a pool of its own for LoadBalancer")
    if (pool.ipip_mode, pool.vxlan_mode) != ("Never", "Never"):
        remedy = "Set ipipMode and vxlanMode to Never"
        spec.refuse("allowedUses", f"has LoadBalancer in a pool with encapsulation {_modes(pool)}", remedy)
    if pool.node_selector != "all()":
        spec.refuse("nodeSelector", "chooses nodes for a LoadBalancer pool, which belongs to none", 'Use "all()"')
    if pool.disable_bgp_export:
        spec.refuse("disableBGPExport", "hides a LoadBalancer pool from every peer", "Set it to false")


def _modes(pool: IPPool) -> str:
    return f"ipipMode {pool.ipip_mode}, vxlanMode {pool.vxlan_mode}"
