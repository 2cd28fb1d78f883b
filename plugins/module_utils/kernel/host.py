# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is: its address, the device that carries its routes to the other nodes, what its kernel can do."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_folder import PLUGINS, plugins_folder
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import read_address
from ansible_collections.podnet.calico.plugins.module_utils.kernel import addresses, pod_gateway, wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.advertisements import followers
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

KINDS = ("ipip", "vxlan")
_DST, _OIF, _PREFSRC = 1, 4, 7  # RTA_… (linux/rtnetlink.h)
LIBRARIES = {"pyroute2": "python3-pyroute2", "yaml": "python3-yaml"}
PROGRAMS = {
    "bird": ("/usr/sbin/bird", "/usr/bin/bird"),
    "cni": tuple(f"{folder}/ptp" for folder in PLUGINS),
    "nft": ("/usr/sbin/nft", "/usr/bin/nft"),
}


def missing_packages() -> list[str]:
    """Return Debian's names of the Python libraries that the modules need and that this host lacks."""
    return [package for name, package in LIBRARIES.items() if importlib.util.find_spec(name) is None]


def observe(
    address: str | None, peers: t.Sequence[str], ipv6_address: str | None = None, preferred: str = ""
) -> dict[str, t.Any]:
    """Return address (with prefix length), device, mtu (bytes) and the kernel's encapsulations of this host.

    address: the node's address, with or without prefix length. Without one the preferred one is taken, if the host has
    it, or the source address towards the peers. ipv6_address: that of a node with both IP versions, in the answer with
    its prefix length as well. The device is the one that carries the route to the first peer that is not on this host,
    whatever its name; the MTU is the smallest of the devices that carry routes to peers. Raises InvalidInput for an
    address that is not here, or cannot be the node's.
    """
    others = [_peer_address(peer) for peer in peers]
    with Netlink() as netlink:
        devices = {link.name: link for link in links(netlink)}
        names = {link.index: name for name, link in devices.items()}
        rows = addresses.read(netlink, names)
        own = {ipaddress.ip_interface(row["address"]).ip for row in rows}
        routes = list(_routes(netlink, [peer for peer in others if peer not in own]))
    carriers = [(names[index], source) for index, source in routes if index in names]
    sources = [source for __, source in carriers if source]
    node = find_interface(rows, address) if address else _chosen(rows, preferred, sources)
    carrying = {name for name, __ in carriers} or {node["device"]}
    return {
        "address": node["address"],
        "address_device": node["device"],
        **_ipv6(rows, ipv6_address),
        "device": carriers[0][0] if carriers else node["device"],
        "mtu": min(devices[name].mtu for name in carrying),
        "encapsulations": [kind for kind in KINDS if has_module(kind)],
        "checks_sources": checks_sources(),
        "advertised": list(followers()),
        "pod_gateway": pod_gateway.answered(ours=False),
        "programs": {name: any(os.path.exists(path) for path in paths) for name, paths in PROGRAMS.items()},
        "cni_bin_dir": plugins_folder(),
    }


def _ipv6(rows: addresses.Rows, address: str | None) -> dict[str, str]:
    if not address:
        return {}
    if ":" not in address:
        raise InvalidInput(f'calico_node_ipv6_address "{address}" is not an IPv6 address', remedy="Correct it")
    row = find_interface(rows, address, "calico_node_ipv6_address")
    return {"ipv6_address": row["address"], "ipv6_address_device": row["device"]}


def _peer_address(text: str) -> t.Any:
    try:
        return read_address(text)
    except ValueError as error:
        raise InvalidInput(f'find the way to the other nodes: peer "{text}" is not an address') from error


def _routes(netlink: Netlink, peers: t.Iterable[t.Any]) -> t.Iterator[tuple[int, str]]:
    """Yield the index of the device, and the source address, of the kernel's routes to addresses, where it has any."""
    requests = []
    for peer in peers:
        family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
        head = wire.RTMSG.pack(family, peer.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        requests.append((wire.RTM_GETROUTE, head + wire.attribute(_DST, peer.packed)))
    for body in filter(None, netlink.get_many(requests)):
        found = wire.attributes(body, wire.RTMSG.size)
        source = found.get(_PREFSRC, b"")
        yield wire.as_number(found.get(_OIF)), str(ipaddress.ip_address(source)) if source else ""


def _chosen(rows: addresses.Rows, preferred: str, sources: t.Sequence[str]) -> t.Mapping[str, t.Any]:
    """Return the address that is the node's where none is given: the preferred one, or a source address."""
    found = addresses.pick(rows, [preferred, *sources])
    if found is None:
        raise InvalidInput(
            "find the node's address: none is given, and there is no route to another node",
            remedy="Set calico_node_address",
        )
    return _sound(found, rows, f"find the node's address: {found['address']}", "calico_node_address")


def _sound(row: t.Mapping[str, t.Any], rows: addresses.Rows, what: str, variable: str) -> t.Mapping[str, t.Any]:
    """Return an address that can be the node's, or raise InvalidInput; what: what the message begins with."""
    fault = addresses.fault(row, rows)
    if fault is None:
        return row
    other = fault.instead or "another address of the host, by which the other nodes reach it"
    raise InvalidInput(f"{what} on {row['device']} {fault.what}: {fault.why}", remedy=f"Set {variable} to {other}")


def find_interface(rows: addresses.Rows, wanted: str, variable: str = "calico_node_address") -> t.Mapping[str, t.Any]:
    """Return the row of an address that is given for the node; variable: what it comes from, for messages."""
    try:
        asked = ipaddress.ip_interface(wanted)
    except ValueError as error:
        message = f'{variable} "{wanted}" is not an address'
        raise InvalidInput(message, remedy="Write it as 192.0.2.11/24") from error
    own = [(ipaddress.ip_interface(row["address"]), row) for row in rows]
    same = [(interface, row) for interface, row in own if interface.ip == asked.ip]
    fits = [
        row
        for interface, row in same
        if asked.network.prefixlen in (interface.network.prefixlen, asked.max_prefixlen) or "/" not in wanted
    ]
    if fits:
        best = addresses.find(fits, str(asked.ip))
        return _sound(best or fits[0], rows, f'{variable} "{wanted}"', variable)
    if same:
        interface, row = same[0]
        raise InvalidInput(
            f'{variable} "{wanted}" has another prefix length than the interface {row["device"]}: {interface}',
            remedy=f"Write {interface}: CrossSubnet is decided by it",
        )
    has = ", ".join(f"{interface} ({row['device']})" for interface, row in own if not interface.is_loopback)
    raise InvalidInput(
        f'{variable} "{wanted}" is on no interface of this host; it has {has or "no address"}',
        remedy="Correct it, or leave it out to take ansible_host or the source address towards the other nodes",
    )


def has_module(name: str) -> bool:
    """Tell whether the kernel has a feature: loaded or built in (in /sys/module), or as a module that it can load."""
    if os.path.isdir(f"/sys/module/{name}"):
        return True
    directory = os.path.join("/lib/modules", os.uname().release)
    for index in ("modules.builtin", "modules.dep"):
        try:
            with open(os.path.join(directory, index)) as file:
                if any(f"/{name}.ko" in line.split(":")[0] for line in file):
                    return True
        except OSError:
            continue
    return False


def checks_sources(directory: str = "/proc/sys/net/ipv4/conf") -> bool:
    """Tell whether the kernel drops packets for where they come from: rp_filter of all devices, or strict of one.

    Not those of pods, which have a value of their own.
    """
    values = {}
    for name in os.listdir(directory):
        try:
            with open(os.path.join(directory, name, "rp_filter")) as file:
                values[name] = int(file.read())
        except FileNotFoundError:  # the device went away
            continue
    return values.pop("all", 0) != 0 or any(v == 1 for name, v in values.items() if not name.startswith("cali"))
