# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of ours in the kernel: read, compare, and change them without a moment in which one is missing."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.ip import contains
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import (
    explained,
    is_ours,
    link_info,
    links,
    open_netlink,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import ROUTE_PROTOCOL

MAIN_TABLE = 254
RTNH_F_ONLINK = 4
TYPES = {1: "unicast", 6: "blackhole", 7: "unreachable"}
SCOPES = {0: "global", 253: "link", 254: "host"}
PROTOCOLS = {2: "kernel", 3: "boot", 4: "static", 12: "bird", 16: "dhcp", 80: "80 (Calico's Felix)"}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

Entry = t.Dict[str, t.Any]
Key = t.Tuple[int, str, int]  # table, destination, metric: what makes two routes the same to the kernel


def normalise(entry: t.Mapping[str, t.Any]) -> Entry:
    """Return a route in the canonical form in which wanted and actual routes are compared.

    entry: destination (CIDR), type, gateway, device, onlink, source, metric, table, mtu, scope; None means unset.
    Raises InvalidInput for a destination or gateway that is not one, and for combinations that the kernel would refuse.
    """
    destination = _network(entry["destination"])
    kind = entry.get("type") or "unicast"
    result: Entry = {"destination": str(destination), "type": kind}
    for name in ("gateway", "source"):
        if entry.get(name):
            result[name] = _address(entry, name, destination)
    if kind == "unicast":
        if not entry.get("device") and "gateway" not in result:
            raise InvalidInput(f"route {destination}: neither gateway nor device is given", remedy="Give one of them")
        for name in ("device", "onlink", "mtu"):
            if entry.get(name):
                result[name] = entry[name]
        if entry.get("scope") == "link" and "gateway" not in result and destination.version == 4:
            result["scope"] = "link"
    elif "gateway" in result or entry.get("device"):
        raise InvalidInput(f"route {destination}: a {kind} route has no gateway and no device", remedy="Leave them out")
    result["metric"] = entry.get("metric") or _default_metric(str(destination))
    result["table"] = entry.get("table") or MAIN_TABLE
    return result


def _network(text: str) -> t.Any:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        message = f'route: destination "{text}" is not a network: {error}'
        raise InvalidInput(message, remedy="Write it as 10.0.0.0/26") from error


def _address(entry: t.Mapping[str, t.Any], name: str, destination: t.Any) -> str:
    try:
        address = ipaddress.ip_address(entry[name])
    except ValueError as error:
        raise InvalidInput(f'route {destination}: {name} "{entry[name]}" is not an address') from error
    if address.version != destination.version:
        raise InvalidInput(f"route {destination}: {name} {address} is of another IP version")
    return str(address)


def key(entry: Entry) -> Key:
    """Return what identifies a route to the kernel."""
    return (entry["table"], entry["destination"], entry["metric"])


def name(entry: Entry) -> str:
    """Return the name of a route in diffs and messages."""
    table = f" table {entry['table']}" if entry["table"] != MAIN_TABLE else ""
    metric = f" metric {entry['metric']}" if entry["metric"] != _default_metric(entry["destination"]) else ""
    return f"{entry['destination']}{table}{metric}"


def _default_metric(destination: str) -> int:
    """Return the metric of routes that name none; the kernel gives IPv6 routes 1024 (net/ipv6/route.c)."""
    return 1024 if ":" in destination else 0


def read(ipr: t.Any) -> dict[Key, tuple[int, Entry]]:
    """Return all routes that are not the kernel's local ones: protocol number and canonical entry by key."""
    devices = {link["index"]: link_name for link_name, link in links(ipr).items()}
    found: dict[Key, tuple[int, Entry]] = {}
    for version, family in _FAMILIES.items():
        for message in ipr.get_routes(family=family):
            if message["type"] in TYPES:
                entry = _entry(message, version, devices)
                found.setdefault(key(entry), (message["proto"], entry))
    return found


def _entry(message: t.Any, version: int, devices: t.Mapping[int, str]) -> Entry:
    attrs = dict(message["attrs"])
    everything = "0.0.0.0" if version == 4 else "::"  # noqa: S104 (the default route's destination, nothing is bound)
    entry: Entry = {
        "destination": f"{attrs.get('RTA_DST', everything)}/{message['dst_len']}",
        "type": TYPES[message["type"]],
        "metric": attrs.get("RTA_PRIORITY", 0),
        "table": attrs.get("RTA_TABLE", message["table"]),
    }
    for field, attribute in (("gateway", "RTA_GATEWAY"), ("source", "RTA_PREFSRC")):
        if attrs.get(attribute):
            entry[field] = attrs[attribute]
    if entry["type"] != "unicast":
        return entry
    if "RTA_OIF" in attrs:
        entry["device"] = devices.get(attrs["RTA_OIF"], str(attrs["RTA_OIF"]))
    if message["flags"] & RTNH_F_ONLINK:
        entry["onlink"] = True
    if version == 4 and SCOPES.get(message["scope"]) == "link" and "gateway" not in entry:
        entry["scope"] = "link"
    metrics = dict(attrs["RTA_METRICS"]["attrs"]) if "RTA_METRICS" in attrs else {}
    if metrics.get("RTAX_MTU"):
        entry["mtu"] = metrics["RTAX_MTU"]
    return entry


def plan(
    actual: t.Mapping[Key, tuple[int, Entry]],
    wanted: t.Sequence[Entry],
    *,
    present: bool = True,
    exclusive: bool = False,
    keep: t.Container[str] = (),
) -> list[Change]:
    """Return the changes that make the wanted routes exist (or not): creations and replacements, then deletions.

    exclusive: routes of ours that are not wanted are deleted, but for those through a device in keep (pods' routes).
    Raises Conflict for a route of somebody else with the same destination, metric and table.
    """
    ours = {k: entry for k, (protocol, entry) in actual.items() if protocol == ROUTE_PROTOCOL}
    listed = {key(entry): _completed(entry, ours.get(key(entry))) for entry in wanted}
    for k, entry in listed.items():
        if present and k in actual and k not in ours:
            protocol, foreign = actual[k]
            raise Conflict(
                f"create route {name(entry)}: one exists that is not ours: {describe(foreign)} "
                f"proto {PROTOCOLS.get(protocol, protocol)}",
                remedy="Remove it, or give ours another metric",
            )
    if not present:
        after = {k: entry for k, entry in ours.items() if k not in listed}
    elif exclusive:
        after = {**{k: entry for k, entry in ours.items() if entry.get("device") in keep}, **listed}
    else:
        after = {**ours, **listed}
    changes = compare("route", {name(e): e for e in ours.values()}, {name(e): e for e in after.values()})
    return sorted(changes, key=lambda change: change.action == "delete")


def _completed(entry: Entry, actual: Entry | None) -> Entry:
    """Return a wanted route; where no device is asked for, with the one that the kernel found for the same gateway."""
    if actual is None or "device" in entry or entry.get("gateway") != actual.get("gateway"):
        return entry
    return {**entry, "device": actual["device"]} if "device" in actual else entry


def _refuse_twice(entries: t.Iterable[Entry]) -> None:
    """Raise InvalidInput for two different routes that are one to the kernel: the second would replace the first."""
    seen: dict[Key, Entry] = {}
    for entry in entries:
        first = seen.setdefault(key(entry), entry)
        if first != entry:
            raise InvalidInput(
                f"routes: {name(entry)} is listed twice, as {describe(first)} and as {describe(entry)}",
                remedy="List it once, or give the two different metrics",
            )


def describe(entry: Entry) -> str:
    """Return a route as `ip route` would show it."""
    words = [entry["type"]] if entry["type"] != "unicast" else []
    words.append(entry["destination"])
    for field, word in (("gateway", "via"), ("device", "dev"), ("source", "src"), ("metric", "metric")):
        if entry.get(field):
            words += [word, str(entry[field])]
    return " ".join(words + (["onlink"] if entry.get("onlink") else []))


def left_behind(ipr: t.Any, protocol: int, networks: t.Collection[t.Any]) -> list[Change]:
    """Return the deletions of what a daemon left in the kernel: routes of its protocol number inside some networks."""
    found = (entry for number, entry in read(ipr).values() if number == protocol)
    return [
        Change("route", name(entry), before=entry)
        for entry in found
        if any(contains(network, ipaddress.ip_network(entry["destination"])) for network in networks)
    ]


def apply(ipr: t.Any, changes: t.Iterable[Change], protocol: int = ROUTE_PROTOCOL) -> None:
    """Make the changes; a replacement is one message to the kernel, so the destination is never without a route."""
    devices = {link_name: link["index"] for link_name, link in links(ipr).items()}
    for change in changes:
        entry = change.after if change.after is not None else change.before
        command = {"create": "add", "replace": "replace", "delete": "del"}[change.action]
        with explained(f"{change.action} route {describe(entry)}"):
            ipr.route(command, **_message(entry, devices), proto=protocol)


def _message(entry: Entry, devices: t.Mapping[str, int]) -> dict[str, t.Any]:
    destination = ipaddress.ip_network(entry["destination"])
    message: dict[str, t.Any] = {
        "family": _FAMILIES[destination.version],
        "dst": entry["destination"],
        "type": entry["type"],
        "table": entry["table"],
        "scope": 253 if entry.get("scope") == "link" else 0,
    }
    if entry["metric"]:
        message["priority"] = entry["metric"]
    if entry.get("gateway"):
        message["gateway"] = entry["gateway"]
    if entry.get("source"):
        message["prefsrc"] = entry["source"]
    if entry.get("device"):
        if entry["device"] not in devices:
            raise KernelError(
                f"route {describe(entry)}: there is no device {entry['device']}", remedy="Create the device first"
            )
        message["oif"] = devices[entry["device"]]
    if entry.get("onlink"):
        message["flags"] = RTNH_F_ONLINK
    if entry.get("mtu"):
        message["metrics"] = {"mtu": entry["mtu"]}
    return message


def ensure(routes: t.Sequence[t.Mapping[str, t.Any]], *, state: str, exclusive: bool, check_mode: bool) -> Outcome:
    """Bring the routes of ours in line with a list; all input is checked before anything is touched."""
    wanted = [normalise(entry) for entry in routes]
    _refuse_twice(wanted)
    with open_netlink() as ipr:
        pods = {link_name for link_name, link in links(ipr).items() if is_ours(link) and link_info(link)[0] == "veth"}
        actual = read(ipr)
        changes = plan(actual, wanted, present=state == "present", exclusive=exclusive, keep=pods)
        if not check_mode:
            apply(ipr, changes)
    rest = [] if exclusive or state == "absent" else plan(actual, wanted, exclusive=True, keep=pods)
    return Outcome(changes, {"surplus": [change.name for change in rest if change.action == "delete"]})
