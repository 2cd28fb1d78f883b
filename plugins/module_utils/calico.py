# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, names and addresses of Calico's data path that all parts have to agree on."""

from __future__ import annotations

IPIP_DEVICE = "tunl0"  # the kernel's own device of IPIP
VXLAN_PORT = 4789  # of UDP (IANA)
VXLAN_VNI = 4096
POD_GATEWAY = "169.254.1.1"  # by which every pod knows its host
BGP_PORT = 179  # of TCP (IANA)

ENCAPSULATIONS = {
    "None": ("Never", "Never"),
    "IPIP": ("Always", "Never"),
    "IPIPCrossSubnet": ("CrossSubnet", "Never"),
    "VXLAN": ("Never", "Always"),
    "VXLANCrossSubnet": ("Never", "CrossSubnet"),
}
"""The operator's names of modes, and ipipMode and vxlanMode of an IPPool that they stand for."""

OVERHEAD = {("ipip", 4): 20, ("vxlan", 4): 50, ("vxlan", 6): 70}
"""Bytes that an encapsulation takes of the underlay's MTU, by kind and IP version (Calico, Felix)."""


def ways(encapsulation: str) -> tuple[str, str]:
    """Return how a mode carries packets within a subnet and between subnets: "direct", "ipip" or "vxlan"."""
    modes = dict(zip(("ipip", "vxlan"), ENCAPSULATIONS[encapsulation]))
    tunnel = next((kind for kind, mode in modes.items() if mode != "Never"), "direct")
    return "direct" if "CrossSubnet" in modes.values() else tunnel, tunnel
