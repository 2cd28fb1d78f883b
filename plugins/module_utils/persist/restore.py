# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore file: a shell script with the commands that make tunnels, routes, NAT and guard of a node, as text.

The same options give the same text. Nothing is touched here.
"""

from __future__ import annotations

import re
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, refuse_twice
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard, nat, offload, route_wire
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import canonical_mac
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_entries import Entry, normalise
from ansible_collections.podnet.calico.plugins.module_utils.marks import ROUTE_PROTOCOL
from ansible_collections.podnet.calico.plugins.module_utils.persist import nft_text
from ansible_collections.podnet.calico.plugins.module_utils.persist.restore_functions import functions

_VERSIONS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_KINDS = {number: name for name, number in route_wire.TYPES.items()}
_PLAIN = re.compile(r"[A-Za-z0-9._@+-]+")  # names that mean nothing else to a shell, to ip(8) and to nft(8)

Given = t.Sequence[t.Mapping[str, t.Any]]
Names = t.Callable[[int], str]


class Wanted(t.NamedTuple):
    """What a node is to have after a boot: tunnels by name, in canonical form, routes, and NAT.

    guarding: the guard, None where it is switched off. nodes: the name of a node by the MAC of its VTEP, for whoever
    reads the file. offload: whether tunnels leave checksums to the network card; None if nobody cares.
    """

    tunnels: dict[str, Entry]
    routes: list[route_wire.Route]
    device: Names
    nat: nat.Nat
    guarding: guard.Guard | None
    nodes: dict[str, str]
    offload: bool | None

    def underlay(self) -> list[str]:
        """Return the devices of others that tunnels and routes need, in order."""
        parents = [entry["parent"] for entry in self.tunnels.values() if entry.get("parent")]
        used = [self.device(hop.device) for route in self.routes for hop in route.way.hops if hop.device]
        return sorted({*parents, *used} - {*self.tunnels, "lo"})


class Boot(t.NamedTuple):
    """The restore file's text, and the names of the tunnels and of the devices that lead to other nodes."""

    text: str
    tunnels: list[str]
    underlay: list[str]


def wanted(
    tunnels: Given,
    routes: t.Any,
    outgoing: t.Mapping[str, t.Any],
    offload: bool | None,
    guarding: t.Mapping[str, t.Any] | None = None,
) -> Wanted:
    """Return what is listed, checked as calico_tunnel, calico_route and calico_nat do. Raises InvalidInput.

    outgoing: the options of calico_nat. guarding: its option guard.
    """
    refuse_twice("tunnels", (entry["name"] for entry in tunnels))
    devices = Devices(unborn=True)
    found = Wanted(
        {entry["name"]: {**normalise(entry), **_underlay(entry)} for entry in tunnels},
        [route_wire.decode(body) for body in parse(routes, devices).bodies],
        devices.name,
        nat.parse(outgoing),
        guard.parse(guarding),
        {
            canonical_mac(peer["mac"]): peer["node"]
            for entry in tunnels
            for peer in entry.get("peers") or []
            if _PLAIN.fullmatch(peer.get("node") or "")
        },
        offload,
    )
    _refuse_odd_names(found)
    return found


def boot(found: Wanted, underlay: t.Iterable[str]) -> Boot:
    """Return what a boot needs. underlay: devices to other nodes that neither tunnels nor routes name."""
    return Boot(render(found), list(found.tunnels), sorted({*underlay, *found.underlay()}))


def of_plan(plan: t.Mapping[str, t.Any], checksum_offload: bool | None) -> Boot:
    """Return what a boot of a node needs by its plan. checksum_offload: as calico_persist takes it."""
    offloaded = offload.default() if checksum_offload is None else checksum_offload
    found = wanted(plan["tunnels"], plan["routes"], nat.of_plan(plan), offloaded, guard.of_plan(plan))
    return boot(found, plan["underlay"])


def _underlay(entry: t.Mapping[str, t.Any]) -> Entry:
    """Return what a tunnel of any kind stands on, if it is known."""
    return {field: entry[field] for field in ("local", "parent") if entry.get(field)}


def _refuse_odd_names(found: Wanted) -> None:
    uplinks = found.guarding.uplinks if found.guarding else []
    for name in [*found.tunnels, *found.underlay(), *found.nat.tunnels, *uplinks]:
        if not _PLAIN.fullmatch(name):
            raise InvalidInput(
                f'write the restore file: the device "{name}" has a name that scripts cannot be trusted with',
                remedy="Rename it to letters, digits, dots and hyphens",
            )


def render(found: Wanted) -> str:
    """Return the text of the restore file."""
    sections = [
        "#!/bin/sh\n" + owned_file.HEADER + "\n#",
        functions(offload=bool(found.tunnels) and found.offload is not None),
        *_preparations(found),
        *(_tunnel(name, entry, found) for name, entry in found.tunnels.items()),
        *_routes(found),
        'exit "$status"',
    ]
    return sections[0] + "\n" + "\n".join(sections[1:]) + "\n"


def _preparations(found: Wanted) -> t.Iterator[str]:
    kinds = sorted({entry["kind"] for entry in found.tunnels.values()})
    yield "\n".join(["lock", "sysctls", *(f"modprobe -q {kind} 2>/dev/null" for kind in kinds), ""])
    table = nft_text.text(nat.wanted(found.nat, found.guarding))
    if table:
        yield f"nat <<'END'\n{table}END\n"
    if waits := list(_waits(found)):
        yield "\n".join([*waits, ""])


def _waits(found: Wanted) -> t.Iterator[str]:
    """Yield a line for each device of others that has to be up, and for each address that is named."""
    for name in found.underlay():
        yield f"await 'the device {name}' ip -o link show dev {name} up"
        yield f"await 'systemd-networkd, to be done with {name}' settled {name}"
    sources = {socket.inet_ntop(route.way.family, route.way.source) for route in found.routes if route.way.source}
    locals_ = {entry["local"] for entry in found.tunnels.values() if entry.get("local")}
    for address in sorted(sources | locals_):
        yield f"await 'the address {address}' ip -o addr show up -tentative to {address}"
    families = {
        (found.device(hop.device), _VERSIONS[route.way.family])
        for route in found.routes
        for hop in route.way.hops
        if hop.device and hop.gateway and not hop.onlink
    }
    for name, version in sorted(families):
        if name not in found.tunnels:
            words = f"ip -o -{version} addr show dev {name} up -tentative scope global"
            yield f"await 'an IPv{version} address of {name}' {words}"


def _tunnel(name: str, entry: Entry, found: Wanted) -> str:
    steps = [f"configure {name} {entry['mtu']} {entry['address']}"]
    if found.offload is not None:
        steps.append(f"offload {name} {'on' if found.offload else 'off'}")
    if entry["kind"] == "ipip":
        return _guarded(f"ipip {name}", name, steps)
    if entry["fdb"]:
        steps.append("\n".join([f"entries {name} <<'END'", *_entries(name, entry, found), "END"]))
    settings = " ".join(str(entry[field] or "''") for field in ("mac", "vni", "local", "parent", "port"))
    return _guarded(f"vxlan {name} {settings}", name, steps)


def _guarded(condition: str, name: str, steps: list[str]) -> str:
    """Return what is done if a device can be made; what is within here documents must not be indented."""
    body = "\n".join(f"    {step}" for step in steps)
    return f'if {condition}; then\n{body}\nelse\n    refused="${{refused}}{name} "\nfi\n'


def _entries(name: str, entry: Entry, found: Wanted) -> t.Iterator[str]:
    """Yield the batch lines of a VXLAN's tables, one neighbour and one forwarding entry for each peer."""
    for address, mac in entry["neighbours"].items():
        yield f"neigh replace {address} lladdr {mac} dev {name} nud permanent" + _remark(mac, found)
    for mac, underlay in entry["fdb"].items():
        yield f"fdb replace {mac} dst {underlay} dev {name} self permanent" + _remark(mac, found)


def _remark(mac: str, found: Wanted) -> str:
    return f" # {found.nodes[mac]}" if mac in found.nodes else ""


def _routes(found: Wanted) -> t.Iterator[str]:
    for family, version in _VERSIONS.items():
        lines = [_route(route, found.device) for route in found.routes if route.way.family == family]
        if lines:
            yield "\n".join([f"routes {version} <<'END'", *lines, "END", ""])


def _route(route: route_wire.Route, device: Names) -> str:
    """Return the batch line that adds a route; next hops of a multipath route come last, as ip(8) wants them."""
    way = route.way
    result = ["route add", *_kind(way), route_wire.destination(route) if route.length else "default"]
    hops = [_hop(hop, way, device) for hop in way.hops]
    result += hops if len(hops) == 1 else []
    result.append(f"proto {ROUTE_PROTOCOL}")
    result += [f"table {way.table}"] if way.table != route_wire.MAIN_TABLE else []
    result += _scope(way)
    result += [f"src {socket.inet_ntop(way.family, way.source)}"] if way.source else []
    result += [f"mtu {way.mtu}"] if way.mtu else []
    result += [f"metric {way.metric}"] if way.metric else []
    result += [f"nexthop {hop}" for hop in hops] if len(hops) > 1 else []
    return " ".join(result)


def _kind(way: route_wire.Way) -> list[str]:
    return [_KINDS[way.kind]] if way.kind != route_wire.TYPES["unicast"] else []


def _scope(way: route_wire.Way) -> list[str]:
    """Return the scope where ip(8) would choose another one: it takes a route without a gateway as one of the link."""
    if way.family != socket.AF_INET or not way.hops or any(hop.gateway for hop in way.hops):
        return []
    return ["scope link" if way.scope == route_wire.SCOPE_LINK else "scope global"]


def _hop(hop: route_wire.Hop, way: route_wire.Way, device: Names) -> str:
    words = ["via", socket.inet_ntop(way.family, hop.gateway)] if hop.gateway else []
    words += ["dev", device(hop.device)] if hop.device else []
    words += ["weight", str(hop.weight)] if len(way.hops) > 1 else []
    return " ".join([*words, *(["onlink"] if hop.onlink else [])])
