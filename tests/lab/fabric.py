# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The underlay: one or two bridged subnets in a namespace of their own, which is also the router between them."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t
from pathlib import Path

import commands
from settings import Lab, Shape

SUBNETS: t.Final = (ipaddress.IPv4Network("192.0.2.0/24"), ipaddress.IPv4Network("198.51.100.0/24"))
ROUTER: t.Final = 254
MTU: t.Final = 1500


@dataclasses.dataclass(frozen=True)
class Port:
    """Where a node is plugged in: its eth0 is the other end of `name`, a port of the subnet's bridge."""

    node: str
    index: int
    subnet: int

    @property
    def name(self) -> str:
        """Return the interface name on the fabric's side."""
        return f"p{self.index}"

    @property
    def address(self) -> ipaddress.IPv4Interface:
        """Return the node's address with its prefix length: host number 10 + index of its subnet."""
        network = SUBNETS[self.subnet]
        return ipaddress.IPv4Interface(f"{network[10 + self.index]}/{network.prefixlen}")


def ports(shape: Shape) -> list[Port]:
    """Return where each node is plugged in; with two subnets the nodes alternate, node1 in the first."""
    return [Port(name, index, (index - 1) % shape.subnets) for index, name in enumerate(shape.names, start=1)]


def router_address(subnet: int) -> ipaddress.IPv4Interface:
    """Return the fabric's own address in a subnet."""
    return ipaddress.IPv4Interface(f"{SUBNETS[subnet][ROUTER]}/{SUBNETS[subnet].prefixlen}")


def hosts_file(shape: Shape) -> str:
    """Return the text of the nodes' /etc/hosts."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    return "\n".join([*lines, *(f"{port.address.ip} {port.node}" for port in ports(shape)), ""])


def create(lab: Lab, shape: Shape) -> None:
    """Build the fabric, nobody plugged in. Raises LabError."""
    commands.run("ip", "netns", "add", lab.fabric)
    commands.ip_batch(_bridges(shape), namespace=lab.fabric)
    if shape.subnets > 1:
        commands.run("ip", "netns", "exec", lab.fabric, "sysctl", "-qw", "net.ipv4.ip_forward=1")


def plug_in(lab: Lab, shape: Shape) -> None:
    """Give running nodes that are namespaces their eth0. No node gets a default route. Raises LabError."""
    plugged = ports(shape)
    commands.ip_batch(
        f"link add eth0 mtu {MTU} netns {lab.namespace(port.node)} "
        f"type veth peer name {port.name} mtu {MTU} netns {lab.fabric}"
        for port in plugged
    )
    commands.ip_batch((f"link set {port.name} master br{port.subnet} up" for port in plugged), namespace=lab.fabric)
    for port in plugged:
        commands.ip_batch(_node_side(port, shape), namespace=lab.namespace(port.node))


def make_taps(lab: Lab, shape: Shape, user: int) -> None:
    """Make the ports that virtual machines of a user plug themselves into. Raises LabError."""
    for port in ports(shape):
        commands.ip_batch(
            [
                f"tuntap add mode tap name {port.name} user {user}",
                f"link set {port.name} mtu {MTU} master br{port.subnet} up",
            ],
            namespace=lab.fabric,
        )


def delete(lab: Lab) -> None:
    """Remove the network namespaces of the lab by name; those of other labs stay. Raises LabError."""
    ours = re.compile(rf"{re.escape(lab.name)}-(node[0-9]+|fabric)")
    for path in sorted(Path("/run/netns").glob(f"{lab.name}-*")):
        if ours.fullmatch(path.name):
            commands.run("ip", "netns", "delete", path.name)


def _bridges(shape: Shape) -> t.Iterator[str]:
    yield "link set lo up"
    for subnet in range(shape.subnets):
        yield f"link add br{subnet} mtu {MTU} type bridge"
        yield f"addr add {router_address(subnet)} dev br{subnet}"
        yield f"link set br{subnet} up"


def _node_side(port: Port, shape: Shape) -> t.Iterator[str]:
    yield "link set eth0 up"
    yield f"addr add {port.address} dev eth0"
    for subnet in range(shape.subnets):
        if subnet != port.subnet:
            yield f"route add {SUBNETS[subnet]} via {router_address(port.subnet).ip}"
