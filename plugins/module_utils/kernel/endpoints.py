# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod endpoints: a veth pair each, as Calico's CNI plugin makes it.

The host's end has the MAC ee:ee:ee:ee:ee:ee, answers ARP for the pods' gateway 169.254.1.1 (proxy ARP) and has a /32
route to the pod; in the pod a default route leads through that gateway. A permanent neighbour entry in the pod makes
it work on a host without a default route as well, where proxy ARP stays silent (projectcalico/calico#3270).
"""

from __future__ import annotations

import contextlib
import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import host_side, pod_netns, pod_side
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry, parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, link_named, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import (
    Netlink,
    Request,
    namespace,
    namespace_path,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import describe
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import IFINFO, RTM_DELLINK
from ansible_collections.podnet.calico.plugins.module_utils.marks import ALIAS_PREFIX

_MARK = f"{ALIAS_PREFIX} endpoint "


def read(netlink: Netlink, wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the endpoints of ours, and foreign links under a wanted name, by the name of the host's end."""
    found: dict[str, Entry] = {}
    pairs = {link.name: link for link in links(netlink, "veth")}
    ours = {name: link for name, link in pairs.items() if link.alias.startswith(_MARK)}
    for name in wanted:
        if name not in ours and _exists(name):
            foreign = pairs.get(name) or link_named(netlink, name)
            found[name] = {"foreign": foreign.kind if foreign and foreign.kind else "device"}
    routes = host_side.read_pod_routes(netlink) if ours else {}
    for name, link in ours.items():
        found[name] = _read_one(link, wanted.get(name), routes.get(link.index, []))
    for netns, (name, workload) in pod_netns.notes().items():
        if name not in found:
            found[name] = {"workload": workload, "netns": netns, "pod": "no link"}
    return found


def _exists(name: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(socket.if_nametoindex(name))
    return False


def _read_one(link: Link, wanted: Entry | None, routes: list[str]) -> Entry:
    workload, __, netns = link.alias[len(_MARK) :].partition(" ")
    entry: Entry = {"workload": workload, "netns": netns, "mtu": link.mtu, "routes": routes}
    if wanted is None:  # it stays or goes as it is
        return entry
    host = host_side.faults(link, wanted)
    return {**entry, **({"host": host} if host else {}), **_read_pod(netns, link, wanted)}


def _read_pod(netns: str, link: Link, wanted: Entry) -> Entry:
    try:
        with namespace(netns), Netlink() as netlink:
            seen = pod_side.observe(netlink, link.peer)
    except (KernelError, OSError) as error:
        return {"pod": str(error)}
    if seen is None:
        return {"pod": "no link"}
    entry: Entry = {"addresses": seen.addresses, "interface": seen.link.name, "mac": seen.link.mac}
    lacks = pod_side.lacks(wanted, seen)
    if seen.link.mtu != link.mtu:
        lacks.append(f"mtu {seen.link.mtu}")
    return {**entry, **({"pod": ", ".join(lacks)} if lacks else {})}


def plan(
    actual: t.Mapping[str, Entry], wanted: t.Mapping[str, Entry], *, present: bool = True, exclusive: bool = False
) -> list[Change]:
    """Return the changes that make the wanted endpoints exist (or not); exclusive removes others of ours.

    A link of somebody else under a wanted name is a Conflict. Endpoints that go come first if a wanted one needs one of
    their addresses, and last otherwise.
    """
    for name, entry in wanted.items():
        if present and "foreign" in actual.get(name, {}):
            raise Conflict(
                f"create endpoint {entry['workload']}: {name} exists and is not ours ({actual[name]['foreign']})",
                remedy="Remove it, or give the endpoint another host_interface",
            )
    ours = {name: entry for name, entry in actual.items() if "foreign" not in entry}
    if not present:
        return compare("endpoint", ours, {name: entry for name, entry in ours.items() if name not in wanted})
    after = {} if exclusive else dict(ours)
    after.update({name: _expected(entry, ours.get(name)) for name, entry in wanted.items()})
    needed = {address for entry in wanted.values() for address in entry["addresses"]}
    return sorted(compare("endpoint", ours, after), key=lambda change: _turn(change, needed))


def _turn(change: Change, needed: set[str]) -> int:
    if change.after is not None:
        return 1
    return 2 if needed.isdisjoint(change.before.get("routes", ())) else 0


def _expected(entry: Entry, actual: Entry | None) -> Entry:
    """Return how a wanted endpoint reads back; a MAC that was not asked for may be any."""
    expected = {**entry, "routes": entry["addresses"]}
    if "mac" not in entry and actual and "mac" in actual:
        expected["mac"] = actual["mac"]
    return expected


def refuse_conflicts(netlink: Netlink, changes: t.Iterable[Change]) -> None:
    """Raise Conflict for what is in the way of endpoints to be made: a route to an address, things in a pod."""
    leaving = {change.name for change in changes if change.before is not None}
    for change in changes:
        if change.after is None:
            continue
        what = f"create endpoint {change.after['workload']}"
        for address in set(change.after["addresses"]) - set((change.before or {}).get("routes", ())):
            route = host_side.route_in_the_way(netlink, address)
            if route and not {_name(hop.device) for hop in route.way.hops} & leaving:
                raise Conflict(
                    f"{what}: there is a route to {address} already: {describe(route, _name)}",
                    remedy="Remove it, or give the endpoint another address",
                )
        if change.before is None:
            _refuse_occupied(what, change.after)


def _refuse_occupied(what: str, entry: Entry) -> None:
    """Raise Conflict if the pod's namespace has an interface of that name already."""
    if not pod_netns.exists(namespace_path(entry["netns"])):
        if "/" in entry["netns"]:
            raise KernelError(f"{what}: {entry['netns']} is no network namespace", remedy="Correct netns or pid")
        return
    with namespace(entry["netns"]):
        if _exists(entry["interface"]):
            raise Conflict(
                f"{what}: namespace {entry['netns']} has an interface {entry['interface']} already",
                remedy="Remove it, or give the endpoint another interface",
            )


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)


def apply(netlink: Netlink, changes: t.Sequence[Change], wanted: t.Mapping[str, Entry]) -> None:
    """Make the changes; an endpoint that cannot be finished is removed again, so that none is left half-made."""
    for change in changes:
        if change.before and change.after:
            _unroute(netlink, change)
    for change in changes:
        if change.after is None:
            remove(netlink, change.name, change.before)
        elif _repairable(change):
            _repair(netlink, change.name, wanted[change.name], change.before["routes"])
        else:
            if change.before is not None:
                kept = change.before["netns"] == change.after["netns"]
                remove(netlink, change.name, change.before, with_namespace=not kept)
            _create(netlink, change.name, wanted[change.name])
    _read_back(netlink, {change.name: wanted[change.name] for change in changes if change.after})


def _repairable(change: Change) -> bool:
    """Tell whether both ends are there and where they belong, so that the pod's connections can live on."""
    before, after = change.before, change.after
    return before is not None and all(before.get(key) == after[key] for key in ("netns", "interface"))


def _unroute(netlink: Netlink, change: Change) -> None:
    """Delete routes to addresses that an endpoint gives up, before another one gets them."""
    routes = change.before.get("routes", ())
    if not set(routes) <= set(change.after["addresses"]):
        index = socket.if_nametoindex(change.name)
        requests = host_side.unroute_requests(index, change.after["addresses"], routes)
        _send(netlink, requests, f"change endpoint {change.after['workload']}")


def remove(netlink: Netlink, name: str, entry: Entry, *, with_namespace: bool = True) -> None:
    """Delete both ends, and with them their routes; also a named namespace that was made for the endpoint."""
    if _exists(name):
        body = IFINFO.pack(0, 0, socket.if_nametoindex(name), 0, 0)
        _send(netlink, [(RTM_DELLINK, 0, body)], f"delete endpoint {entry['workload']}")
    if with_namespace:
        pod_netns.remove(entry["netns"])


def _create(netlink: Netlink, name: str, entry: Entry) -> None:
    what = f"create endpoint {entry['workload']}"
    if "/" not in entry["netns"]:
        pod_netns.make(entry["netns"], name, entry["workload"])
    try:
        _create_pair(netlink, name, entry, what)
    except BaseException:
        pod_netns.remove(entry["netns"])
        raise
    try:
        _configure(netlink, name, entry, what, None)
    except BaseException:
        remove(netlink, name, entry)
        raise


def _create_pair(netlink: Netlink, name: str, entry: Entry, what: str) -> None:
    try:
        netns = os.open(namespace_path(entry["netns"]), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"{what}: open {entry['netns']}: {error.strerror}", remedy="Correct netns or pid") from error
    try:
        _send(netlink, host_side.creation(name, entry, netns), what)
    finally:
        os.close(netns)


def _repair(netlink: Netlink, name: str, entry: Entry, routes: t.Collection[str]) -> None:
    _configure(netlink, name, entry, f"repair endpoint {entry['workload']}", routes)


def _configure(netlink: Netlink, name: str, entry: Entry, what: str, routes: t.Collection[str] | None) -> None:
    """Give both ends what they lack; routes: those that the host has to the pod, None for a pair just made."""
    host_side.write_sysctls(name, entry)
    index = socket.if_nametoindex(name)
    link = None if routes is None else link_named(netlink, name)
    _send(netlink, host_side.settings(name, index, entry), what)
    with namespace(entry["netns"]), Netlink() as inner:
        pod_index = socket.if_nametoindex(entry["interface"])
        pod_side.prepare(entry)
        seen = None if routes is None else pod_side.observe(inner, pod_index)
        _send(inner, pod_side.requests(entry, pod_index, seen), f"{what}, in its namespace {entry['netns']}")
    there = routes if routes and link and link.up else ()
    _send(netlink, host_side.route_requests(index, entry["addresses"], there), what)


def _send(netlink: Netlink, requests: t.Sequence[Request], what: str) -> None:
    for refusal in netlink.send(requests)[:1]:
        raise refusal.as_error(what)


def _read_back(netlink: Netlink, wanted: t.Mapping[str, Entry]) -> None:
    """Raise KernelError if something else changed MAC or MTU of a new link behind our back, as udev may."""
    for link in links(netlink, "veth") if wanted else ():
        entry = wanted.get(link.name)
        if entry and (link.mac, link.mtu) != (pod_side.HOST_MAC, entry["mtu"]):
            raise KernelError(
                f"create endpoint {entry['workload']}: {link.name} has MAC {link.mac} and MTU {link.mtu}, which we did "
                "not give it",
                remedy="Find what changes new devices (udev's MACAddressPolicy=, NetworkManager), and run again",
            )


def ensure(endpoints: t.Sequence[t.Mapping[str, t.Any]], *, state: str, exclusive: bool, check_mode: bool) -> Outcome:
    """Bring the endpoints of ours in line with a list; all input is checked before anything is touched."""
    wanted = parse(endpoints)
    with only_one(check_mode), Netlink() as netlink:
        actual = read(netlink, wanted)
        changes = plan(actual, wanted, present=state == "present", exclusive=exclusive)
        refuse_conflicts(netlink, changes)
        if not check_mode:
            apply(netlink, changes, wanted)
    names = [{"name": entry["workload"], "host_interface": name} for name, entry in wanted.items()]
    return Outcome(changes, {"endpoints": names})
