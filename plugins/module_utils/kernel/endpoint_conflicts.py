# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be in the way of a pod's endpoint: found before anything is touched, so in check mode as well."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import host_requests, pod_netns
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import index_of, link_named
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace, namespace_path
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import describe


def repairable(change: Change) -> bool:
    """Tell whether both ends are there and where they belong, so that the pod's connections can live on."""
    before, after = change.before, change.after
    return before is not None and all(before.get(key) == after[key] for key in ("netns", "interface"))


def refuse_conflicts(netlink: Netlink, changes: t.Sequence[Change], actual: t.Mapping[str, Entry]) -> None:
    """Raise Conflict for what is in the way of endpoints to be made: a route to an address, an interface in a pod.

    actual: the endpoints of ours, by the name of the host's end. Raises KernelError for a path that leads to no network
    namespace.
    """
    leaving = {change.name for change in changes if change.before is not None}
    going = {change.name for change in changes if change.after is None}
    for change in changes:
        if change.after is None:
            continue
        what = f"create endpoint {change.after['workload']}"
        for address in set(change.after["addresses"]) - set((change.before or {}).get("routes", ())):
            _refuse_routed(netlink, what, address, leaving, actual)
        if not repairable(change):
            _refuse_occupied(what, change.after, going | {change.name})


def _refuse_routed(netlink: Netlink, what: str, address: str, leaving: set[str], actual: t.Mapping[str, Entry]) -> None:
    """Raise Conflict if there is a route to an address, unless it is one of an endpoint that changes or goes."""
    route = host_requests.route_in_the_way(netlink, address)
    name = Devices().name
    devices = {name(hop.device) for hop in route.way.hops} if route else set()
    if route is None or devices & leaving:
        return
    holders = [f", of endpoint {actual[device]['workload']}" for device in devices if device in actual]
    raise Conflict(
        f"{what}: there is a route to {address} already: {describe(route, name)}{''.join(holders)}",
        remedy="Remove it, or give the endpoint another address",
    )


def _refuse_occupied(what: str, entry: Entry, leaving: set[str]) -> None:
    """Raise Conflict if the pod's namespace has an interface of that name, unless it goes with the host's end of it."""
    if not pod_netns.exists(namespace_path(entry["netns"])):
        if "/" in entry["netns"]:
            raise KernelError(f"{what}: {entry['netns']} is no network namespace", remedy="Correct netns or pid")
        return
    peers = {index for index in map(index_of, leaving) if index}
    with namespace(entry["netns"]), Netlink() as inner:
        found = link_named(inner, entry["interface"])
    if found and not (found.kind == "veth" and found.peer in peers):
        raise Conflict(
            f"{what}: namespace {entry['netns']} has an interface {entry['interface']} already",
            remedy="Remove it, or give the endpoint another interface",
        )
