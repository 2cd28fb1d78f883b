# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of nft's JSON that our rules are made of (libnftables-json(5)), and the address families of sets."""

from __future__ import annotations

import re
import typing as t

Json = t.Dict[str, t.Any]

FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
DEVICE = re.compile(r"[^\s/:@*]{1,15}")  # what the kernel takes as a name, without what means something to nft
IPIP = 4  # the IP protocol (IANA: IPv4 encapsulation)


def match(left: Json, right: t.Any, operator: str = "==") -> Json:
    """Match packets in which two values are equal, or as the operator says."""
    return {"match": {"op": operator, "left": left, "right": right}}


def address(version: int, field: str) -> Json:
    """Return the source (saddr) or destination (daddr) of a packet."""
    return {"payload": {"protocol": FAMILIES[version][0], "field": field}}


def meta(key: str) -> Json:
    """Return what the kernel knows of a packet, such as the device that it came by (iifname)."""
    return {"meta": {"key": key}}


def fib(result: str, *flags: str) -> Json:
    """Return what the routing table says of a packet, in the order of the flags in listings."""
    return {"fib": {"result": result, "flags": sorted(flags)}}


def udp_to(port: int) -> Json:
    """Match UDP packets to a port."""
    return match({"payload": {"protocol": "udp", "field": "dport"}}, port)


def ipip() -> Json:
    """Match IPv4 packets within packets of either IP version."""
    return match(meta("l4proto"), IPIP)


def ipip4() -> Json:
    """Match IPv4 packets within IPv4 packets."""
    return match({"payload": {"protocol": "ip", "field": "protocol"}}, IPIP)


def rule(chain: str, *expressions: Json) -> Json:
    """Return a rule without its place and its comment, which is its name here."""
    return {"chain": chain, "expr": list(expressions)}


def verdict(word: str, chain: str | None = None) -> Json:
    """Return what happens to a packet: accept, drop, notrack or counter; or goto, with the chain to go on with."""
    return {word: {"target": chain} if chain else None}
