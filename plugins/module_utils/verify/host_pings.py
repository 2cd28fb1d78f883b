# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings between probe pods and hosts, both ways: what to ping, and what the results say."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

HOST = "/proc/self/ns/net"  # the namespace of the host itself
COUNT = 3  # of requests: whether an answer comes at all is the question
WAIT = 2  # seconds for the first answer, which a firewall may keep back on purpose
_DST, _SRC, _OIF = 1, 2, 4  # RTA_… (linux/rtnetlink.h)

Row = t.Dict[str, t.Any]


def targets(plan: t.Mapping[str, t.Any], nodes: t.Mapping[str, t.Sequence[str]]) -> list[Row]:
    """Return targets of calico_ping for a node's plan: from its probe pods to hosts, and from the host to probe pods.

    nodes: those that take part, each with its addresses. Other hosts are pinged where packets of pods get there, since
    they are masqueraded or go directly; where pods are encapsulated, the network may not pass their addresses.
    """
    node, found = plan["node"], []
    for probe in plan["probes"]:
        own, netns = probe["addresses"][0], probe["name"]
        common = {"pool": netns.partition(".")[2], "count": COUNT, "wait": WAIT}
        masqueraded = _within(own, plan["nat"]["masquerade"])
        for address in _of_version(nodes.get(node, ()), own):
            row = {"name": f"pod of {node} -> host {node}", "address": address, "netns": netns, "answer_to": own}
            found.append({**row, **common})
        found.append({"name": f"host {node} -> pod of {node}", "address": own, "netns": HOST, **common})
        for pod in (pod for pod in probe["targets"] if pod["name"] in nodes):
            there = _of_version(nodes[pod["name"]], own) if masqueraded or pod["expected"] == "None" else []
            name = f"pod of {node} -> host {pod['name']}"
            found += [{"name": name, "address": address, "netns": netns, **common} for address in there]
            name = f"host {node} -> pod of {pod['name']}"
            found.append({"name": name, "address": pod["address"], "netns": HOST, **common})
    return found


def _within(address: str, networks: t.Iterable[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(each) for each in networks)


def _of_version(addresses: t.Iterable[str], like: str) -> list[str]:
    return [address for address in addresses if (":" in address) == (":" in like)]


def answered_by(source: str, target: str) -> str:
    """Return the device by which this host sends from one of its addresses to a pod; empty if it does not."""
    family, bits = (socket.AF_INET6, 128) if ":" in target else (socket.AF_INET, 32)
    head = wire.RTMSG.pack(family, bits, bits, 0, 0, 0, 0, 0, 0)
    body = head + wire.attribute(_DST, wire.packed_address(target)) + wire.attribute(_SRC, wire.packed_address(source))
    with Netlink() as netlink:
        found = netlink.get(wire.RTM_GETROUTE, body)
    index = wire.as_number(wire.attributes(found, wire.RTMSG.size).get(_OIF)) if found else 0
    try:
        return socket.if_indextoname(index) if index else ""
    except OSError:  # the device has just gone
        return ""


def judge(rows: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> dict[str, list[str]]:
    """Return in words which pings failed, by node; rows: the results of calico_ping for the targets.

    misrouted: the host's answers to its own pods leave by another device, by a rule of policy routing. unanswered: the
    others, which a firewall may drop on purpose.
    """
    found: dict[str, list[str]] = {"misrouted": [], "unanswered": []}
    for row in (row for node in sorted(rows) for row in rows[node] if row["loss"] > 0):
        lost = f"{row['target']} (pool {row['pool']}, {row['loss']:.0%} lost)"
        device = row.get("answered_by")
        if device is None or device.startswith("cali"):
            found["unanswered"].append(lost)
        else:
            way = f"leave by {device}" if device else "have no way"
            found["misrouted"].append(
                f"{lost}: the host's answers from {row['address']} {way}, by a rule of policy routing (ip rule)"
            )
    return found
