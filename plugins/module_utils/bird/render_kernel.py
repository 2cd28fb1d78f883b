# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What enters the kernel, and what is learned from it.

The kernel protocol's export filter decides how a route of a pool enters the kernel; BIRD's own table keeps the true
next hop. The order onlink, ifname, gw is the one that BIRD 2 accepts for a tunnel (2.0.12 and 2.17, measured).
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.render_text import BITS, block, prefix_set
from ansible_collections.podnet.calico.plugins.module_utils.calico import IPIP_DEVICE

Data = t.Mapping[str, t.Any]


def kernel(family: Data, sessions: t.Sequence[Data], version: tuple[int, int], debug: str = "") -> list[str]:
    """Return the static routes of the node, the kernel's filter and its protocol, for one IP version.

    sessions: those of that IP version. debug: what BIRD logs of all protocols, "all" or a list.
    """
    reachable = any(session["reachable_by"] for session in sessions)
    return [*_static(family), _filter(family, reachable, version), _protocol(family, sessions, debug)]


def _static(family: Data) -> list[str]:
    number = family["version"]
    kinds = (
        ("blocks", "This node's blocks: packets to addresses without a pod end here instead of looping."),
        ("services", "Ranges of services that this node advertises; the kernel does not get them."),
    )
    found = []
    for kind, comment in kinds:
        lines = [f"ipv{number};", *(f"route {prefix} blackhole;" for prefix in family[kind])]
        if family[kind]:
            found.append(f"# {comment}\n{block(f'protocol static podnet_{kind}{number}', lines)}")
    return found


def _filter(family: Data, reachable: bool, version: tuple[int, int]) -> str:
    number, bits = family["version"], BITS[family["version"]]
    vxlan = [pool["cidr"] for pool in family["pools"] if pool["tunnel"] == "vxlan"]
    lines = []
    if vxlan:
        lines.append(f"if net ~ {prefix_set(vxlan, '+')} then reject;  # VXLAN: these routes are not BIRD's")
    if any(prefix.endswith(f"/{bits}") for prefix in family["blocks"]):
        lines.append(f'if proto = "podnet_blocks{number}" && net.len = {bits} then reject;  # the pod itself')
    kinds = [*(["blocks"] if family["blocks"] else []), *(["reachable"] if reachable else [])]
    lines += [f'if proto = "podnet_{kind}{number}" then accept;' for kind in kinds]
    if family["services"]:
        lines.append(f"if net ~ {prefix_set(family['services'])} then reject;")
    lines.append("if source != RTS_BGP then reject;")
    lines += [_tunnel(pool, family["subnet"], version) for pool in family["pools"] if pool["tunnel"] == "ipip"]
    return block(f"filter podnet_kernel_export{number}", [*lines, "accept;"])


def _tunnel(pool: Data, subnet: str, version: tuple[int, int]) -> str:
    """Return the statement that sends a route of an IPIP pool through the tunnel.

    With BIRD 3 the next hop's own route leads there; if it does not, packets are refused instead of sent in the open.
    """
    condition = f"net ~ [ {pool['cidr']}+ ]"
    if pool["cross_subnet"]:
        condition += f" && !(bgp_next_hop ~ {subnet})"
    if version >= (3, 0):
        return f'if {condition} && ifname != "{IPIP_DEVICE}" then dest = RTD_UNREACHABLE;'
    return f'if {condition} then {{ onlink = true; ifname = "{IPIP_DEVICE}"; gw = bgp_next_hop; }}'


def _protocol(family: Data, sessions: t.Sequence[Data], debug: str) -> str:
    """Return the kernel's protocol; several paths to one network come from routers alone, a block is of one node.

    BIRD 3.1 with "merge paths" deletes all routes and puts them back when it restarts, so it is there only if needed.
    Its states are not logged, since 3.1 has eight of them for each scan.
    """
    number = family["version"]
    ranges = [pool["cidr"] for pool in family["pools"]]
    learned = f"import where !(net ~ {prefix_set(ranges, '+')});" if ranges else "import all;"
    channel = block(f"ipv{number}", [learned, f"export filter podnet_kernel_export{number};"], "};")
    options = ["learn on;", "persist on;", "graceful restart on;", "scan time 2;"]
    if sum(session["peer"] is None for session in sessions) > 1:
        options.append("merge paths on limit 16;")
    options += ["debug off;"] if debug not in ("", "all") else []
    return block(f"protocol kernel podnet_kernel{number}", [*options, channel])
