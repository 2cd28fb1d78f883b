# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Underlays that behave like those that break pod networks: what bridges or hosts drop, as rules of nftables."""

from __future__ import annotations

import typing as t

import commands
import fabric
import nodes
from settings import Lab, LabError, Shape

NARROW: t.Final = 1400
TABLE: t.Final = "surroundings"
# Bridges see all that leaves a node or comes to it, also what the router between the subnets passes on.
CHAINS: t.Final = """\
table bridge {table}
delete table bridge {table}
table bridge {table} {{
    chain from_nodes {{
        type filter hook prerouting priority filter;
{from_nodes}
    }}
    chain to_nodes {{
        type filter hook postrouting priority filter;
{to_nodes}
    }}
}}
"""
# What a host with firewalld's zone "public" lets in: SSH, ping, and answers.
NO_FIREWALL: t.Final = """\
table inet {table}
delete table inet {table}
"""
HOST_FIREWALL: t.Final = """\
table inet {table} {{
    chain input {{
        type filter hook input priority 10; policy drop;
        iifname "lo" accept
        ct state established,related accept
        icmp type echo-request accept
        tcp dport 22 accept
        reject with icmpx admin-prohibited
    }}
}}
"""

Rules = t.Tuple[t.List[str], t.List[str]]


def _azure(shape: Shape) -> Rules:
    return ["ip protocol 4 drop"], []


def _vmware(shape: Shape) -> Rules:
    return ["udp dport 4789 drop"], []


def _narrow(shape: Shape) -> Rules:
    return [f"ip length > {NARROW} drop"], []


def _openstack(shape: Shape) -> Rules:
    """Port security: a port sends with its own address only."""
    return [f'iifname "{port.name}" ip saddr != {port.address.ip} drop' for port in fabric.ports(shape)], []


def _aws(shape: Shape) -> Rules:
    """The check of source and destination: an interface sends and gets what has its own address."""
    to_nodes = [f'oifname "{port.name}" ip daddr != {port.address.ip} drop' for port in fabric.ports(shape)]
    return _openstack(shape)[0], to_nodes


BRIDGES: t.Final[dict[str, t.Callable[[Shape], Rules]]] = {
    "aws": _aws,
    "azure": _azure,
    "mtu1400": _narrow,
    "openstack": _openstack,
    "vmware": _vmware,
}
HOSTS: t.Final = ("firewalld", "strict-rp_filter")
FABRICS: t.Final = ("plain", *sorted((*BRIDGES, *HOSTS)))


def parse_fabric(text: str) -> str:
    """Return the name of a fabric. Raises LabError for one that is not known."""
    if text not in FABRICS:
        raise LabError(f"FABRIC={text} is not allowed: give one of {', '.join(FABRICS)}.")
    return text


def behave(lab: Lab, shape: Shape, before: str = "plain") -> None:
    """Make the underlay of a running lab behave as its shape says, and no longer as before. Raises LabError."""
    if shape.fabric == before:
        return
    if {shape.fabric, before} & set(BRIDGES):
        rules: Rules = BRIDGES[shape.fabric](shape) if shape.fabric in BRIDGES else ([], [])
        from_nodes, to_nodes = ("\n".join(f"        {rule}" for rule in part) for part in rules)
        text = CHAINS.format(table=TABLE, from_nodes=from_nodes, to_nodes=to_nodes)
        commands.run("ip", "netns", "exec", lab.fabric, "nft", "-f", "-", feed=text)
    for name in shape.names:
        if "firewalld" in (shape.fabric, before):
            wall = HOST_FIREWALL if shape.fabric == "firewalld" else NO_FIREWALL
            commands.run(*nodes.enter(lab, name, "nft", "-f", "-"), feed=wall.format(table=TABLE))
        if "strict-rp_filter" in (shape.fabric, before):
            strict = int(shape.fabric == "strict-rp_filter")
            commands.run(*nodes.enter(lab, name, "sysctl", "-qw", f"net.ipv4.conf.all.rp_filter={strict}"))
