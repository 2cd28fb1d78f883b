# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How next hops are reached: tables with which BIRD resolves them, apart from the routes of pods.

Connected networks are in them, the host's own routes, peers behind a gateway (reachableBy), and for BIRD 3 the nodes
behind tunl0.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.render_text import BITS, block, prefix_set
from ansible_collections.podnet.calico.plugins.module_utils.calico import IPIP_DEVICE
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

Data = t.Mapping[str, t.Any]

NOT_UNDERLAY = ("cali*", "kube-ipvs*", "tunl*", "vxlan*")
"""Devices of pods, services and tunnels: no next hop is ever reached by them as a neighbour."""


def connected(bgp: Data) -> str:
    """Return the protocol that knows the connected networks; Calico's ignoredInterfaces are left out."""
    versions = [family["version"] for family in bgp["families"]]
    names = [f'"-{name}"' for name in (*bgp["ignored_interfaces"], *NOT_UNDERLAY)] + ['"*"']
    channels = [f"ipv{version} {{ table podnet_underlay{version}; }};" for version in versions]
    tables = "".join(f"ipv{version} table podnet_underlay{version};\n" for version in versions)
    text = block("protocol direct podnet_direct", [f"interface {', '.join(names)};", *channels])
    return f"# How next hops are reached: connected networks first.\n{tables}{text}"


def underlay(family: Data, sessions: t.Sequence[Data], version: tuple[int, int]) -> list[str]:
    """Return what else leads to next hops of an IP version; sessions: those of that IP version.

    Raises InvalidInput for IPIP that BIRD 3 cannot do.
    """
    if not sessions:
        return []
    found = [*_reachable(family, sessions), _learned(family, sessions)]
    if version >= (3, 0):
        found += _tunnels(family, sessions)
    return found


def _learned(family: Data, sessions: t.Sequence[Data]) -> str:
    """Take over the host's routes that lead to a peer, or all of them if next hops may be nodes that are no peers."""
    number = family["version"]
    condition = f'proto = "podnet_kernel{number}"'
    lines = [f"table podnet_underlay{number};", f"peer table master{number};"]
    head = ""
    if not any(session["reflects"] or _may_reflect(session) for session in sessions):
        peers = prefix_set(sorted({_host(session["address"]) for session in sessions}), "-")
        head = f"define PEERS{number} = {peers};\n"
        condition += f" && net ~ PEERS{number}"
    reachable = any(session["reachable_by"] for session in sessions)
    export = f'export where proto = "podnet_reachable{number}";' if reachable else "export none;"
    lines += [f"import where {condition};", export]
    return f"{head}{block(f'protocol pipe podnet_learned{number}', lines)}"


def _may_reflect(session: Data) -> bool:
    """Tell whether the other end is a router in the node's AS, of which nobody knows whether it reflects."""
    return not session["peer"] and bool(session["remote_as"] == session["local_as"])


def _reachable(family: Data, sessions: t.Sequence[Data]) -> list[str]:
    number = family["version"]
    routes = sorted(
        {f"route {_host(one['address'])} via {one['reachable_by']};" for one in sessions if one["reachable_by"]}
    )
    if not routes:
        return []
    lines = [f"ipv{number} {{ table podnet_underlay{number}; }};", *routes]
    text = block(f"protocol static podnet_reachable{number}", lines)
    return [f"# Peers behind a gateway (reachableBy), for next hops and for the kernel.\n{text}"]


def _host(address: str) -> str:
    return f"{address}/{BITS[6 if ':' in address else 4]}"


def _tunnels(family: Data, sessions: t.Sequence[Data]) -> list[str]:
    """Put nodes behind tunl0 as next hops: BIRD 3 has no "onlink" that a filter could set on single routes."""
    modes = {(pool["tunnel"], pool["cross_subnet"]) for pool in family["pools"] if pool["tunnel"] != "vxlan"}
    if not any(tunnel == "ipip" for tunnel, __ in modes):
        return []
    _refuse(modes, sessions)
    local = ipaddress.ip_network(family["subnet"])
    [(__, cross)] = modes
    nodes = sorted({one["address"] for one in sessions if one["peer"]})
    far = [node for node in nodes if not cross or ipaddress.ip_address(node) not in local]
    routes = [f"route {node}/32 via {node}%{IPIP_DEVICE} onlink;" for node in far]
    if not routes:
        return []
    text = block("protocol static podnet_tunnels4", ["ipv4 { table podnet_underlay4; };", *routes])
    return [f"# Nodes that are reached through the tunnel.\n{text}"]


def _refuse(modes: t.Collection[t.Any], sessions: t.Sequence[Data]) -> None:
    if len(modes) > 1:
        raise InvalidInput(
            "configure BIRD 3 for IPIP: all pools that are not VXLAN must have the same ipipMode, and here they differ",
            remedy="Use BIRD 2 on this node, or give the pools one mode",
        )
    reflectors = sorted(session["address"] for session in sessions if session["reflects"])
    if reflectors:
        raise InvalidInput(
            "configure BIRD 3 for IPIP: next hops behind route reflectors"
            f" ({', '.join(reflectors)}) are not known in advance, and BIRD 3 sets no tunnel for single routes",
            remedy="Use BIRD 2 on this node, VXLAN instead of IPIP, or the node-to-node mesh",
        )
