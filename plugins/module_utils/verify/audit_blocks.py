# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks in an audit: pods of a host that get addresses of a block which is another node's; pure functions."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import contains, overlaps
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import WRONG, Finding, finding

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

Plan = t.Mapping[str, t.Any]

_WHY = "two hosts give the same addresses to their pods, and packets to these reach the pods of the other one"
_REMEDY = "Run podnet.calico.deploy, then start the pods again that have addresses of it"


def of_ranges(plan: Plan, ranges: t.Iterable[str]) -> t.Iterator[Finding]:
    """Yield the ranges (CIDR) that pods of the host get addresses of although the plan gives them to another node."""
    own = [ipaddress.ip_network(block) for block in plan["blocks"]]
    for text in ranges:
        network = ipaddress.ip_network(text, strict=False)
        holder = None if any(contains(block, network) for block in own) else _holder(plan, network)
        if holder is not None:
            given = ", ".join(plan["cni"]["ranges"]) or "no range"
            yield finding(WRONG, "block", text, f"pods get {given}", f"pods get a block of {holder}", _WHY, _REMEDY)


def _holder(plan: Plan, network: Network) -> str | None:
    """Return the node to which the plan routes a network, by name or by gateway; None if it does not route it."""
    for route in (*plan["routes"], *plan["standby"]):
        destination = ipaddress.ip_network(route["destination"])
        if route["type"] == "unicast" and route["scope"] == "global" and overlaps(destination, network):
            return f"node {_names(plan).get(route['gateway'], 'at ' + str(route['gateway']))}"
    return None


def _names(plan: Plan) -> dict[str, str]:
    """Return the names of other nodes by their addresses, as far as the plan has them."""
    peers = [peer for tunnel in plan["tunnels"] for peer in tunnel["peers"]]
    sessions = [each for each in (plan["bgp"] or {}).get("sessions", ()) if each["peer"]]
    return {
        **{each["address"]: each["peer"] for each in sessions},
        **{peer[key]: peer["node"] for peer in peers for key in ("underlay", "address")},
    }
