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
import errno
import itertools
import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import host_side, pod_netns, pod_side
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_conflicts import (
    refuse_conflicts,
    repairable,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry, parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host_side import Settings
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, link_named, links, make_marked
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import (
    Netlink,
    Request,
    namespace,
    namespace_path,
    visits,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import IFINFO, RTM_DELLINK, RTM_SETLINK, number
from ansible_collections.podnet.calico.plugins.module_utils.marks import ALIAS_PREFIX

_MARK = f"{ALIAS_PREFIX} endpoint "
_GROUP, _DOOMED = 27, 0x706F646E  # IFLA_GROUP; the number of a group that only links to be deleted have ("podn")
_AT_ONCE = 256  # links that are deleted by one system call


def read(netlink: Netlink, wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the endpoints of ours, and foreign links under a wanted name, by the name of the host's end."""
    found: dict[str, Entry] = {}
    pairs = {link.name: link for link in links(netlink, "veth")}
    ours = {name: link for name, link in pairs.items() if link.alias.startswith(_MARK)}
    for name in wanted:
        if name not in ours and _index(name):
            foreign = pairs.get(name) or link_named(netlink, name)
            found[name] = {"foreign": foreign.kind if foreign and foreign.kind else "device"}
    routes = host_side.read_pod_routes(netlink) if ours else {}
    settings = host_side.read_settings(netlink)
    with visits() as back:
        for name, link in ours.items():
            found[name] = _read_host(link, routes.get(link.index, []))
            if name in wanted:  # any other stays or goes as it is
                host = host_side.faults(link, wanted[name], settings)
                found[name].update({"host": host} if host else {})
                found[name].update(_read_pod(found[name]["netns"], link, wanted[name], back))
    inhabited = {entry.get("netns") for entry in found.values()}
    for netns, (name, workload) in pod_netns.notes().items():
        if name not in found and netns not in inhabited:
            found[name] = {"workload": workload, "netns": netns, "pod": "no link"}
    return found


def _index(name: str) -> int:
    """Return the index of a device, 0 for none."""
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(name)
    return 0


def _home(link: Link) -> tuple[str, str]:
    """Return the workload and its namespace that the alias of a link of ours names."""
    workload, __, netns = link.alias[len(_MARK) :].partition(" ")
    return workload, netns


def _read_host(link: Link, routes: list[str]) -> Entry:
    workload, netns = _home(link)
    return {"workload": workload, "netns": netns, "mtu": link.mtu, "routes": routes}


def _read_pod(netns: str, link: Link, wanted: Entry, back: int) -> Entry:
    try:
        with namespace(netns, back), Netlink() as netlink:
            seen = pod_side.observe(netlink, link.peer, pod_side.versions(wanted))
    except (KernelError, OSError) as error:
        return {"pod": str(error)}
    if seen is None or seen.link.peer != link.index:  # somebody made a namespace of that name anew
        return {"pod": "no link"}
    lacks = pod_side.lacks(wanted, seen)
    if seen.link.mtu != link.mtu:
        lacks.append(f"mtu {seen.link.mtu}")
    entry: Entry = {"addresses": seen.addresses, "interface": seen.link.name, "mac": seen.link.mac}
    return {**entry, **({"pod": ", ".join(lacks)} if lacks else {})}


def plan(
    actual: t.Mapping[str, Entry], wanted: t.Mapping[str, Entry], *, present: bool = True, exclusive: bool = False
) -> list[Change]:
    """Return the changes that make the wanted endpoints exist (or not); exclusive removes others of ours.

    A link of somebody else under a wanted name is a Conflict. Endpoints that go come first if a wanted one needs one of
    their addresses or lives in their namespace, and last otherwise.
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
    needed = {thing for entry in wanted.values() for thing in (*entry["addresses"], entry["netns"])}
    return sorted(compare("endpoint", ours, after), key=lambda change: _turn(change, needed))


def _turn(change: Change, needed: set[str]) -> int:
    if change.after is not None:
        return 1
    return 2 if needed.isdisjoint((*change.before.get("routes", ()), change.before["netns"])) else 0


def _expected(entry: Entry, actual: Entry | None) -> Entry:
    """Return how a wanted endpoint reads back; a MAC that was not asked for may be any."""
    expected = {**entry, "routes": entry["addresses"]}
    if "mac" not in entry and actual and "mac" in actual:
        expected["mac"] = actual["mac"]
    return expected


def apply(netlink: Netlink, changes: t.Sequence[Change], wanted: t.Mapping[str, Entry]) -> None:
    """Make the changes; an endpoint that cannot be finished is removed again, so that none is left half-made."""
    settings = host_side.read_settings(netlink)
    homes = {change.after["netns"] for change in changes if change.after}
    for change in changes:
        if change.before and change.after:
            _unroute(netlink, change)
    for gone, group in itertools.groupby(changes, key=lambda change: change.after is None):
        if gone:
            remove(netlink, {change.name: change.before for change in group}, keep=homes)
            continue
        for change in group:
            _make(netlink, change, wanted[change.name], settings)
    _read_back(netlink, {change.name: wanted[change.name] for change in changes if change.after})


def _make(netlink: Netlink, change: Change, entry: Entry, settings: Settings) -> None:
    if repairable(change):
        _configure(netlink, change.name, entry, settings, change.before["routes"])
        return
    if change.before is not None:
        remove(netlink, {change.name: change.before}, keep={entry["netns"]})
    _create(netlink, change.name, entry, settings)


def _unroute(netlink: Netlink, change: Change) -> None:
    """Delete routes to addresses that an endpoint gives up, before another one gets them."""
    routes = change.before.get("routes", ())
    if not set(routes) <= set(change.after["addresses"]):
        index = socket.if_nametoindex(change.name)
        requests = host_side.unroute_requests(index, change.after["addresses"], routes)
        _send(netlink, requests, f"change endpoint {change.after['workload']}")


def remove(netlink: Netlink, gone: t.Mapping[str, Entry], *, keep: t.Container[str] = ()) -> None:
    """Delete both ends, and with them their routes; also named namespaces that were made for the endpoints.

    A namespace stays while another endpoint of ours lives in it, or is about to (keep). Many go in one request, as a
    group of links: one by one the kernel waits for each. No more than fit into one system call, so that none is left in
    the group.
    """
    indexes = [index for index in map(_index, gone) if index]
    for start in range(0, len(indexes), _AT_ONCE):
        part = indexes[start : start + _AT_ONCE]
        requests = [(RTM_SETLINK, 0, IFINFO.pack(0, 0, index, 0, 0) + number(_GROUP, _DOOMED)) for index in part]
        requests.append((RTM_DELLINK, 0, IFINFO.pack(0, 0, 0, 0, 0) + number(_GROUP, _DOOMED)))
        for refusal in netlink.send(requests):
            if refusal.errno != errno.ENODEV:  # one that is gone already has gone with its namespace
                raise refusal.as_error(f"delete endpoints {', '.join(entry['workload'] for entry in gone.values())}")
    homes = {entry["netns"] for entry in gone.values() if "/" not in entry["netns"] and entry["netns"] not in keep}
    if homes:
        inhabited = {_home(link)[1] for link in links(netlink, "veth") if link.alias.startswith(_MARK)}
        for netns in homes - inhabited:
            pod_netns.remove(netns)


def _create(netlink: Netlink, name: str, entry: Entry, settings: Settings) -> None:
    what = f"create endpoint {entry['workload']}"
    made = "/" not in entry["netns"] and pod_netns.make(entry["netns"], name, entry["workload"])
    try:
        _create_pair(netlink, name, entry, what)
    except BaseException:
        if made:
            pod_netns.remove(entry["netns"])
        raise
    try:
        _configure(netlink, name, entry, settings, None)
    except BaseException:
        remove(netlink, {name: entry})
        raise


def _create_pair(netlink: Netlink, name: str, entry: Entry, what: str) -> None:
    try:
        netns = os.open(namespace_path(entry["netns"]), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"{what}: open {entry['netns']}: {error.strerror}", remedy="Correct netns or pid") from error
    try:
        make_marked(netlink, name, host_side.creation(name, entry, netns), what)
    finally:
        os.close(netns)


def _configure(netlink: Netlink, name: str, entry: Entry, settings: Settings, routes: t.Collection[str] | None) -> None:
    """Give both ends what they lack; routes: those that the host has to the pod, None for a pair just made."""
    what = f"{'create' if routes is None else 'repair'} endpoint {entry['workload']}"
    host_side.write_sysctls(name, entry)
    index = socket.if_nametoindex(name)
    link = None if routes is None else link_named(netlink, name)
    there = routes if routes and link and link.up else ()
    wanted = host_side.requests(index, entry, settings)
    _send(netlink, wanted + host_side.route_requests(index, entry["addresses"], there), what)
    with namespace(entry["netns"]), Netlink() as inner:
        pod_index = socket.if_nametoindex(entry["interface"])
        pod_side.prepare(entry)
        seen = None if routes is None else pod_side.observe(inner, pod_index, pod_side.versions(entry))
        wanted = pod_side.requests(entry, pod_index, seen)
        if seen is not None:
            wanted = pod_side.replacing(inner, pod_index, wanted)
        _send(inner, wanted, f"{what}, in its namespace {entry['netns']}")


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
        refuse_conflicts(netlink, changes, actual)
        if not check_mode:
            apply(netlink, changes, wanted)
    names = [{"name": entry["workload"], "host_interface": name} for name, entry in wanted.items()]
    return Outcome(changes, {"endpoints": names})
