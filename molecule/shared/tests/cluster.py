# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running lab as the tests see it: each node with its Testinfra host, address, subnet and own block."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
import typing as t

import fabric
import lifecycle
import testinfra
import testinfra_backend
from settings import current_lab

POOL: t.Final = "10.244.0.0/16"
REFUSED: t.Final = f"unreachable {POOL} proto podnet metric 1000000"  # where pods are behind a tunnel


@dataclasses.dataclass(frozen=True)
class Node:
    """One node: Testinfra's host, the address on the underlay with its prefix length, the block in CIDR notation."""

    name: str
    host: t.Any
    interface: ipaddress.IPv4Interface
    block: str

    @property
    def address(self) -> str:
        """Return the node's address without prefix length."""
        return str(self.interface.ip)

    @property
    def vtep(self) -> str:
        """Return the address of the node's tunnel: the first of its block."""
        return self.block.partition("/")[0]

    @property
    def mac(self) -> str:
        """Return the MAC of the node's VXLAN device: 66 and five bytes of SHA-1 of the node's name (Calico's Felix)."""
        return ":".join(f"{byte:02x}" for byte in (0x66, *hashlib.sha1(self.name.encode()).digest()[:5]))  # noqa: S324

    def lines(self, command: str) -> list[str]:
        """Return the lines that a command prints, without the blanks at their ends; it has to succeed."""
        return [line.strip() for line in self.host.check_output(command).splitlines()]

    def pod_routes(self) -> list[str]:
        """Return what `ip route` says about the pool, sorted."""
        return sorted(line for line in self.lines("ip route") if re.search(r"\b10\.244\.", line))


def nodes() -> list[Node]:
    """Return the nodes of the lab that runs. The block of a node is read from its blackhole route."""
    shape = lifecycle.running_shape(current_lab())
    assert shape is not None, "the lab does not run"
    testinfra_backend.register()
    found = []
    for port in fabric.ports(shape):
        host = testinfra.get_host(f"netns://{port.node}")
        blocks = re.findall(r"^blackhole (10\.244\.\S+/26) ", host.check_output("ip route"), re.MULTILINE)
        assert len(blocks) == 1, f"{port.node} has {blocks}, not one block"
        found.append(Node(port.node, host, port.address, blocks[0]))
    return found


def others(node: Node, everyone: t.Sequence[Node]) -> list[Node]:
    """Return the nodes but one."""
    return [other for other in everyone if other.name != node.name]


def tunnel_entries(node: Node) -> tuple[list[str], list[str]]:
    """Return the forwarding entries and the neighbours of a node's VXLAN device, as bridge and ip print them."""
    forwarding = sorted(node.lines("bridge fdb show dev vxlan.calico"))
    neighbours = sorted(node.lines("ip neigh show dev vxlan.calico"))
    return forwarding, neighbours


def expected_tunnel_entries(node: Node, everyone: t.Sequence[Node]) -> tuple[list[str], list[str]]:
    """Return the entries that lead to every other node, as bridge and ip print them, sorted."""
    peers = others(node, everyone)
    forwarding = sorted(f"{peer.mac} dst {peer.address} self permanent" for peer in peers)
    neighbours = sorted(f"{peer.vtep} lladdr {peer.mac} PERMANENT" for peer in peers)
    return forwarding, neighbours


def check_tunnel(node: Node) -> None:
    """Compare a node's VXLAN device with what Calico makes: MAC, VNI, port, MTU, address."""
    link = node.host.check_output("ip -d link show vxlan.calico")
    assert f"link/ether {node.mac}" in link
    assert f"vxlan id 4096 local {node.address} dev eth0" in link
    assert "dstport 4789 nolearning" in link
    assert "mtu 1450 " in link
    assert f"inet {node.vtep}/32 scope global vxlan.calico" in node.host.check_output("ip -o -4 addr show vxlan.calico")
