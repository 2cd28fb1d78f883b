# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of the hosts, and what a finding is."""

from __future__ import annotations

import ipaddress
import types
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import OVERHEAD
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
"""error: the mode will not work. warning: it breaks some day or for some. note: to know; deploy deals with it."""

FIXABLE = (
    *("rp-filter-strict", "forwarding-off", "forwarding-device-off", "forwarding-off-at-boot"),
    *("networkd-routes", "nm-pods", "udev-mac"),
)
"""Kinds of findings that preflight mends."""
KINDS = (
    *FIXABLE,
    *("kernel-ipip", "kernel-vxlan", "kernel-veth", "kernel-nf-tables", "kernel-nft-masq", "kernel-nft-ct"),
    *("kernel-nft-fib-inet", "rp-filter-loose", "rp-filter-unnumbered"),
    "router-advertisements",
    *("offload-vmxnet3", "offload-old-kernel", "mtu-too-large", "mtu-differs"),
    *("address-missing", "address-virtual", "address-unfit", "address-secondary", "address-device"),
    "address-elsewhere",
    *("address-twice", "hostname-twice", "machine-id-twice", "clock-apart", "clock-unsynchronised"),
    *("range-taken", "range-routed", "range-twice", "no-default-route", "policy-routed"),
    *("forward-dropped", "input-dropped", "output-dropped", "iptables-mixed", "firewalls-several", "nm-cloud-setup"),
    *(
        "cni-rival",
        "cni-several",
        "cni-plugin-missing",
        "leftover-links",
        "leftover-routes",
        "leftover-chains",
        "leftover-files",
    ),
    *("cloud-mode", "plan-refused", "plan-failed"),
    *("probe-plain", "probe-pod", "probe-ipip", "probe-vxlan", "probe-mtu", "probe-tcp", "probe-udp"),
    "probe-failed",
)
"""All kinds of findings."""

Facts = t.Mapping[str, t.Any]


class Finding(t.NamedTuple):
    """What is not well on a host: in words, by what it is known, what it does to the wanted mode, what to do about it.

    kind: its name, for preflight_ignore and preflight_fix. tag: its area. fixable: whether a safe remedy of
    ours is at hand.
    """

    kind: str
    severity: str
    tag: str
    what: str
    evidence: str
    why: str
    remedy: str
    fixable: bool = False


class Wanted(t.NamedTuple):
    """What is to be deployed. services: their ranges. mtu: of pods in bytes, 0 for what fits. nodes: all addresses.

    calicos_plugin: whether pods are connected by Calico's own CNI plugin, beside its Felix. guard: whether what is
    forged is dropped. names: host to the name of its Node.
    """

    pools: tuple[IPPool, ...] = ()
    services: tuple[str, ...] = ()
    mtu: int = 0
    bgp: bool = False
    calicos_plugin: bool = False
    nodes: tuple[str, ...] = ()
    guard: bool = True
    names: t.Mapping[str, str] = types.MappingProxyType({})

    @property
    def modes(self) -> list[str]:
        """Return the encapsulations of all pools."""
        return sorted({pool.encapsulation for pool in self.pools})

    @property
    def ipip(self) -> bool:
        """Tell whether IP protocol 4 is sent."""
        return any(pool.ipip_mode != "Never" for pool in self.pools)

    @property
    def vxlan(self) -> bool:
        """Tell whether VXLAN is sent."""
        return any(pool.vxlan_mode != "Never" for pool in self.pools)

    @property
    def direct(self) -> bool:
        """Tell whether packets with pods' addresses travel between nodes as they are."""
        return any(mode == "None" or mode.endswith("CrossSubnet") for mode in self.modes)

    @property
    def masquerades(self) -> bool:
        """Tell whether packets to the outside get the address of their node."""
        return any(pool.nat_outgoing for pool in self.pools)

    @property
    def overhead(self) -> int:
        """Return the bytes that the largest encapsulation in use takes."""
        kinds = [("ipip", pool.ipip_mode, pool) for pool in self.pools]
        kinds += [("vxlan", pool.vxlan_mode, pool) for pool in self.pools]
        used = (OVERHEAD[kind, pool.cidr.version] for kind, mode, pool in kinds if mode != "Never")
        return max(used, default=0)

    @property
    def in_words(self) -> str:
        """Return the modes as a person reads them."""
        return " and ".join(self.modes) or "any mode"


def network(text: str) -> t.Any:
    """Return a network from CIDR or address with prefix length."""
    return ipaddress.ip_network(text, strict=False)


def overlap(one: str, other: str) -> bool:
    """Tell whether two CIDRs share an address."""
    first, second = network(one), network(other)
    return bool(first.version == second.version and first.overlaps(second))
