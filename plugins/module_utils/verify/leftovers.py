# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host still has of a node that was removed: in the kernel, in BIRD, in files. Reads only."""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel import nat, nat_table, route_wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import everything
from ansible_collections.podnet.calico.plugins.module_utils.kernel.vtep_tables import AF_BRIDGE, permanent
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import address_text
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL, ROUTE_PROTOCOL

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network


class Leftover(t.NamedTuple):
    """Something that names the node: its kind ("route", "fdb"…), and what it says."""

    kind: str
    text: str


class Traces:
    """What a removed node is known by: its name, its addresses, its blocks and the addresses that it borrowed."""

    def __init__(self, name: str, addresses: t.Iterable[str], cidrs: t.Iterable[str]) -> None:
        self.name = name
        try:
            self.addresses = frozenset(ipaddress.ip_address(text.partition("/")[0]) for text in addresses)
            self.cidrs = tuple(ipaddress.ip_network(text) for text in cidrs)
        except ValueError as error:
            raise InvalidInput(
                f"look for what is left of {name}: {error}", remedy="Give addresses, and blocks as 10.244.0.0/26"
            ) from error
        self._pattern = re.compile("|".join(self._words()))

    def within(self, network: Network) -> bool:
        """Tell whether a network is one of the blocks, or lies in one."""
        return any(
            network.version == cidr.version and network.subnet_of(cidr)  # type: ignore[arg-type]
            for cidr in self.cidrs
        )

    def is_address(self, network: Network) -> bool:
        """Tell whether a network is a single address of the node."""
        return network.num_addresses == 1 and network.network_address in self.addresses

    def has(self, address: Address) -> bool:
        """Tell whether an address is one of the node or of its blocks."""
        return address in self.addresses or any(address in cidr for cidr in self.cidrs)

    def found_in(self, text: str) -> bool:
        """Tell whether a line of text has an address, a block, or a description of a session with the node in it."""
        return self._pattern.search(text) is not None

    def _words(self) -> t.Iterator[str]:
        yield rf'description "\w+ {re.escape(self.name)}"'
        for address in self.addresses:
            text = str(address)
            yield rf"(?<![\w.:]){re.escape(text)}(?![\w:]|\.\d)"
            yield rf"(?<![^\W_])bgp_{re.escape(re.sub('[.:]', '_', text))}(?=\b|_port_)"
        for cidr in self.cidrs:
            yield rf"(?<![\w.:]){re.escape(str(cidr))}(?!\d)"


def on_host(traces: Traces, bird_config: str, cni_dir: str) -> list[Leftover]:
    """Return everything on this host that names the node. Raises KernelError if the kernel cannot be read."""
    with Netlink() as netlink:
        names = {link.index: link.name for link in links(netlink)}
        routes = map(route_wire.decode, everything(netlink))
        kernel = [*of_routes(routes, names, traces), *_tables(netlink, names, traces)]
    files = [bird_config, *(os.path.join(cni_dir, name) for name in _configurations(cni_dir))]
    return [*kernel, *_nat(traces), *(found for path in files for found in _lines(path, traces)), *_sessions(traces)]


def of_routes(found: t.Iterable[route_wire.Route], names: t.Mapping[int, str], traces: Traces) -> t.Iterator[Leftover]:
    """Yield routes to the node's blocks, whoever made them; and routes of ours and of BIRD by or to its addresses.

    names: of devices, by index.
    """
    for route in found:
        destination = ipaddress.ip_network(route_wire.destination(route))
        gateways = {ipaddress.ip_address(address_text(hop.gateway)) for hop in route.way.hops if hop.gateway}
        named = traces.is_address(destination) or gateways & traces.addresses
        if traces.within(destination) or (named and route.protocol in (ROUTE_PROTOCOL, BIRD_PROTOCOL)):
            yield Leftover("route", route_wire.describe(route, lambda index: names.get(index, str(index))))


def _tables(netlink: Netlink, names: t.Mapping[int, str], traces: Traces) -> t.Iterator[Leftover]:
    """Yield permanent neighbours and forwarding entries; what the kernel has learned by itself it forgets by itself."""
    for family, kind in ((0, "neighbour"), (AF_BRIDGE, "fdb")):
        for index, packed, mac in permanent(netlink, family):
            address = address_text(packed) if packed else ""
            if address and traces.has(ipaddress.ip_address(address)):
                yield Leftover(kind, f"{address} {mac.hex(':')} dev {names.get(index, index)}")


def _nat(traces: Traces) -> t.Iterator[Leftover]:
    for name, elements in nat_table.read(nat.SETS).members.items():
        for element in elements:
            for network in element.networks:
                if traces.within(network) or traces.is_address(network):
                    yield Leftover("nft", f"element {network} of set {name}")


def _configurations(folder: str) -> list[str]:
    """Return the names of our files of the container runtime's networks."""
    try:
        return sorted(name for name in os.listdir(folder) if "podnet-calico" in name)
    except OSError:
        return []


def _lines(path: str, traces: Traces) -> t.Iterator[Leftover]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:  # no such file: then nothing is in it
        return
    for number, line in enumerate(lines, 1):
        if traces.found_in(line):
            yield Leftover("file", f"{path} line {number}: {line.strip()[:200]}")


def _sessions(traces: Traces) -> t.Iterator[Leftover]:
    """Yield protocols of the running BIRD whose name or neighbour is the node."""
    for name, protocol in daemon.read().protocols.items():
        address = protocol.details.get("address", "")
        if traces.found_in(name):
            yield Leftover("session", name)
        elif address and traces.found_in(address):
            yield Leftover("session", f"{name} with {address}")
