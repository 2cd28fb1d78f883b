# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making, repairing and removing endpoints."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import (
    host_requests,
    host_side,
    pod_netns,
    pod_requests,
    pod_side,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_conflicts import (
    repairable,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host_side import Settings
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    home,
    index_of,
    link_named,
    links,
    make_marked,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace, namespace_path
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink, Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import IFINFO, RTM_DELLINK, RTM_SETLINK, number

_GROUP, _DOOMED = 27, 0x706F646E  # IFLA_GROUP; the number of a group that only links to be deleted have ("podn")
_AT_ONCE = 256  # links that are deleted by one system call


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
        known = {"mac": entry.get("mac") or change.before["mac"]}
        _configure(netlink, change.name, {**entry, **known}, settings, change.before["routes"])
        return
    if change.before is not None:
        remove(netlink, {change.name: change.before}, keep={entry["netns"]})
    _create(netlink, change.name, entry, settings)


def _unroute(netlink: Netlink, change: Change) -> None:
    """Delete routes to addresses that an endpoint gives up, before another one gets them."""
    routes = change.before.get("routes", ())
    if not set(routes) <= set(change.after["addresses"]):
        index = socket.if_nametoindex(change.name)
        requests = host_requests.unroute_requests(index, change.after["addresses"], routes)
        _send(netlink, requests, f"change endpoint {change.after['workload']}")


def remove(netlink: Netlink, gone: t.Mapping[str, Entry], *, keep: t.Container[str] = ()) -> None:
    """Delete both ends, and with them their routes; also named namespaces that were made for the endpoints.

    A namespace stays while another endpoint of ours lives in it, or is about to (keep). Many go in one request, as a
    group of links: one by one the kernel waits for each. No more than fit into one system call, so that none is left in
    the group.
    """
    indexes = [index for index in map(index_of, gone) if index]
    for start in range(0, len(indexes), _AT_ONCE):
        part = indexes[start : start + _AT_ONCE]
        requests = [(RTM_SETLINK, 0, IFINFO.pack(0, 0, index, 0, 0) + number(_GROUP, _DOOMED)) for index in part]
        requests.append((RTM_DELLINK, 0, IFINFO.pack(0, 0, 0, 0, 0) + number(_GROUP, _DOOMED)))
        for refusal in netlink.send(requests):
            if refusal.errno != errno.ENODEV:  # one that is gone already has gone with its namespace
                raise refusal.as_error(f"delete endpoints {', '.join(entry['workload'] for entry in gone.values())}")
    homes = {entry["netns"] for entry in gone.values() if "/" not in entry["netns"] and entry["netns"] not in keep}
    if homes:
        inhabited = {netns for __, netns in filter(None, map(home, links(netlink, "veth")))}
        for netns in homes - inhabited:
            pod_netns.remove(netns)


def _create(netlink: Netlink, name: str, entry: Entry, settings: Settings) -> None:
    what = f"create endpoint {entry['workload']}"
    entry = {**entry, "mac": entry.get("mac") or _any_mac()}
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


def _any_mac() -> str:
    """Return a MAC as the kernel makes them up: one of a single interface, administered locally."""
    first, *others = os.urandom(6)
    return bytes([first & 0xFE | 0x02, *others]).hex(":")


def _create_pair(netlink: Netlink, name: str, entry: Entry, what: str) -> None:
    try:
        netns = os.open(namespace_path(entry["netns"]), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"{what}: open {entry['netns']}: {error.strerror}", remedy="Correct netns or pid") from error
    try:
        make_marked(netlink, name, host_requests.creation(name, entry, netns), what)
    finally:
        os.close(netns)


def _configure(netlink: Netlink, name: str, entry: Entry, settings: Settings, routes: t.Collection[str] | None) -> None:
    """Give both ends what they lack; routes: those that the host has to the pod, None for a pair just made."""
    what = f"{'create' if routes is None else 'repair'} endpoint {entry['workload']}"
    host_requests.write_sysctls(name, entry)
    index = socket.if_nametoindex(name)
    link = None if routes is None else link_named(netlink, name)
    there = routes if routes and link and link.up else ()
    wanted = host_requests.requests(index, entry, settings)
    wanted += host_requests.route_requests(index, entry["addresses"], there)
    near = host_side.neighbours_of(entry, entry["mac"])
    if routes is not None:
        known = host_side.read_neighbours(netlink, index).get(index, {})
        _send(netlink, host_requests.forget_requests(index, near, known), what)
    _send(netlink, wanted + host_requests.neighbour_requests(index, near), what)
    with namespace(entry["netns"]), Netlink() as inner:
        pod_index = socket.if_nametoindex(entry["interface"])
        pod_requests.prepare(entry)
        seen = None if routes is None else pod_side.observe(inner, pod_index, pod_side.versions(entry))
        # A new pair has got its MAC; to be given it once more is a change of address to the kernel.
        wanted = pod_requests.requests({**entry, "mac": None} if seen is None else entry, pod_index, seen)
        if seen is not None:
            wanted = pod_requests.replacing(inner, pod_index, wanted)
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
