# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modes work on which platform; pure.

The table says it of the three kinds of packets that modes put on the wire (direct: from a pod's address to a pod's,
IPIP, VXLAN); a mode works as well as the worst of its kinds.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ways
from ansible_collections.podnet.calico.plugins.module_utils.cloud import platforms

YES, IF, NO = "works", "works if", "does not"
_RANK = {YES: 0, IF: 1, NO: 2}


class Cell(t.NamedTuple):
    """Whether something works; text: the condition after "works if", or the reason why it does not; what to do.

    ours: whether the role cloud makes all of the condition true. rules: whether that takes rules of a firewall, which
    cloud_rules: false leaves to others. routes: whether that takes routes of the network to
    pods' addresses, which a probe's packets do not need: they go to a node's address.
    """

    works: str
    text: str = ""
    remedy: str = ""
    ours: bool = False
    rules: bool = False
    routes: bool = False


class Verdict(t.NamedTuple):
    """Whether a mode works on a platform, conditions or reasons, what to do, and which kinds of packets it sends.

    ours: whether the role cloud makes all conditions true. rules: whether that takes rules of a firewall. routes:
    whether one is that the network has routes to pods' addresses.
    """

    works: str
    texts: tuple[str, ...]
    remedies: tuple[str, ...]
    kinds: tuple[str, ...]
    ours: bool
    rules: bool
    routes: bool


_FINE = Cell(YES)
_TAKE_VXLAN = "Take VXLAN"
_TUNNEL = "Take a mode that encapsulates between all nodes, such as VXLAN"
_OR_ELSE = f"or else: {_TUNNEL[0].lower()}{_TUNNEL[1:]}"
_ADDS = "The role cloud adds the rule; cloud_manage and cloud_rules must be true"
_GROUP_IPIP = Cell(IF, "the security group lets IP protocol 4 pass between nodes", _ADDS, ours=True, rules=True)
_GROUP_VXLAN = Cell(IF, "the security group lets UDP 4789 pass between nodes", _ADDS, ours=True, rules=True)
_TABLE: dict[str, dict[str, Cell]] = {
    platforms.AWS: {
        "direct": Cell(
            IF,
            "the check of source and destination is off on the nodes' interfaces",
            "The role cloud switches it off; cloud_manage must be true",
            ours=True,
        ),
        "ipip": _GROUP_IPIP,
        "vxlan": _GROUP_VXLAN,
    },
    platforms.AZURE: {
        "direct": Cell(
            IF,
            "IP forwarding is on for the nodes' NICs and the subnet's route table leads each block of pods to its node",
            f"The role cloud switches IP forwarding on, the routes are yours; {_OR_ELSE}",
            routes=True,
        ),
        "ipip": Cell(NO, "Azure's network drops IP protocol 4, whatever the security groups say", _TAKE_VXLAN),
        "vxlan": Cell(
            IF,
            "the network security group lets UDP 4789 pass between nodes",
            "The default rule AllowVnetInBound does; look for rules before it",
        ),
    },
    platforms.GOOGLE: {
        "direct": Cell(
            IF,
            "canIpForward is on for the nodes and the VPC has a route to each block of pods",
            f"The role cloud switches canIpForward on, the routes are yours; {_OR_ELSE}",
            routes=True,
        ),
        "ipip": Cell(IF, "a firewall rule lets IP protocol 4 pass between nodes", _ADDS, ours=True, rules=True),
        "vxlan": Cell(IF, "a firewall rule lets UDP 4789 pass between nodes", _ADDS, ours=True, rules=True),
    },
    platforms.OPENSTACK: {
        "direct": Cell(
            IF,
            "the pools are allowed address pairs of the nodes' ports, or their port security is off",
            f"The role cloud allows the pools on each port; {_OR_ELSE}",
            ours=True,
            rules=True,
        ),
        "ipip": _GROUP_IPIP,
        "vxlan": _GROUP_VXLAN,
    },
    platforms.DIGITALOCEAN: {
        "direct": Cell(IF, "the VPC delivers packets from and to pods' addresses", _TUNNEL, routes=True),
        "ipip": Cell(
            IF, "the nodes have no cloud firewall: its rules know TCP, UDP and ICMP only", f"{_TAKE_VXLAN} with one"
        ),
        "vxlan": Cell(IF, "a cloud firewall, if there is one, lets UDP 4789 pass between nodes", "Add the rule"),
    },
    platforms.HETZNER: {
        "direct": Cell(
            IF,
            "the nodes are in a private network that has a route to each block of pods by its node",
            _TUNNEL,
            routes=True,
        ),
        "ipip": Cell(
            IF,
            "the nodes talk through a private network, or have no firewall: its rules do not know IP protocol 4",
            f"{_TAKE_VXLAN} with one",
        ),
        "vxlan": Cell(
            IF,
            "the nodes talk through a private network, or the firewall lets UDP 4789 pass between them",
            "Add the rule",
        ),
    },
    platforms.EQUINIX: {
        "direct": Cell(
            IF, "BGP is on for the project and the nodes announce their blocks to its routers", _TUNNEL, routes=True
        ),
        "ipip": _FINE,
        "vxlan": _FINE,
    },
    platforms.VMWARE: {
        "direct": _FINE,
        "ipip": _FINE,
        "vxlan": Cell(
            IF,
            "NSX does not take UDP 4789 for its own and vmxnet3 does not damage checksums of what is inside",
            "Probe first; `ethtool -K DEVICE tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off`, "
            "or a mode with IPIP",
        ),
    },
    platforms.KVM: {
        "direct": Cell(
            IF,
            "the hypervisor does not filter sources (Proxmox: IP filter of the firewall; libvirt: clean-traffic)",
            "Switch the filter off for the nodes, or add the pools to its set of addresses",
        ),
        "ipip": _FINE,
        "vxlan": _FINE,
    },
    platforms.METAL: {"direct": _FINE, "ipip": _FINE, "vxlan": _FINE},
}
# Each machine is in a subnet of its own (its address is a /32 or /31), so CrossSubnet encapsulates between all.
ALONE = (platforms.GOOGLE, platforms.HETZNER, platforms.EQUINIX)
# Networks that route by destination and know machines only: a direct route needs an entry for each block.
_ROUTED = (platforms.AWS, platforms.AZURE, platforms.GOOGLE, platforms.HETZNER)
MODES = ("VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet", "None")  # of two that work alike, the first one
PLATFORMS = tuple(_TABLE)


def verdict(platform: str, mode: str, subnets: int = 1) -> Verdict | None:
    """Return what is known of a mode on a platform; None where the platform is not known.

    subnets: in how many of the platform's subnets the nodes are, as far as that is known.
    """
    if platform not in _TABLE:
        return None
    kinds = tuple(dict.fromkeys(reversed(ways(mode))))
    if platform in ALONE and len(kinds) > 1:
        kinds = kinds[:1]
    cells = [_TABLE[platform][kind] for kind in kinds]
    if mode == "None" and subnets > 1 and platform in _ROUTED:
        cells.append(
            Cell(
                NO, f"the nodes are in {subnets} subnets, whose routers know no pods", "Take VXLANCrossSubnet or VXLAN"
            )
        )
    works = max((cell.works for cell in cells), key=_RANK.__getitem__)
    counting = [cell for cell in cells if cell.works == works and works != YES]
    return Verdict(
        works,
        tuple(cell.text for cell in counting),
        tuple(dict.fromkeys(cell.remedy for cell in counting)),
        kinds,
        all(cell.ours for cell in counting),
        any(cell.rules for cell in counting),
        any(cell.routes for cell in counting),
    )


def best(here: t.Iterable[str], subnets: t.Mapping[str, int]) -> list[str]:
    """Return the modes that can work on all these platforms, those without conditions first."""

    def rank(mode: str) -> int:
        found = (verdict(platform, mode, subnets.get(platform, 1)) for platform in here)
        return max((_RANK[each.works] for each in found if each), default=0)

    here = list(here)
    return sorted((mode for mode in MODES if rank(mode) < _RANK[NO]), key=rank)


def markdown() -> str:
    """Return the table platform x mode for the documentation."""
    lines = [f"| platform | {' | '.join(f'`{mode}`' for mode in MODES)} |", f"|---|{'---|' * len(MODES)}"]
    for platform in PLATFORMS:
        cells = []
        for mode in MODES:
            found = verdict(platform, mode)
            if found:
                joined = ", and ".join(found.texts)
                cells.append({YES: "works", IF: f"if {joined}", NO: f"**no**: {joined}"}[found.works])
        lines.append(f"| {platforms.WORDS[platform]} (`{platform}`) | {' | '.join(cells)} |")
    return "\n".join(lines)
