# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod endpoints: a veth pair each, as Calico's CNI plugin makes it.

The host's end has the MAC ee:ee:ee:ee:ee:ee, answers ARP for the pods' gateway 169.254.1.1 (proxy ARP) and has a /32
route to the pod; in the pod a default route leads through that gateway. A permanent neighbour entry in the pod makes
it work on a host without a default route as well, where proxy ARP stays silent (projectcalico/calico#3270). Those on
the host's end keep the host from believing what the pod says of itself.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import host_side, pod_netns, pod_side
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import Entry, parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, home, index_of, link_named, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import namespace, visits
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink


def read(netlink: Netlink, wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the endpoints of ours, and foreign links under a wanted name, by the name of the host's end."""
    found: dict[str, Entry] = {}
    pairs = {link.name: link for link in links(netlink, "veth")}
    homes = {name: home(link) for name, link in pairs.items()}
    ours = {name: link for name, link in pairs.items() if homes[name]}
    for name in wanted:
        if name not in ours and index_of(name):
            foreign = pairs.get(name) or link_named(netlink, name)
            found[name] = {"foreign": foreign.kind if foreign and foreign.kind else "device"}
    routes = host_side.read_pod_routes(netlink) if ours else {}
    settings = host_side.read_settings(netlink)
    neighbours = host_side.read_neighbours(netlink) if ours else {}
    with visits() as back:
        for name, link in ours.items():
            workload, netns = homes[name] or ("", "")
            found[name] = {
                "workload": workload,
                "netns": netns,
                "mtu": link.mtu,
                "routes": routes.get(link.index, []),
            }
            if name in wanted:  # any other stays or goes as it is
                entry = wanted[name]
                pod = _read_pod(netns, link, entry, back)
                host = host_side.faults(link, entry, settings)
                if mac := entry.get("mac") or pod.get("mac"):
                    needed = host_side.neighbours_of(entry, mac)
                    host.update(host_side.neighbour_faults(neighbours.get(link.index, {}), needed))
                found[name].update({"host": host} if host else {})
                found[name].update(pod)
    inhabited = {entry.get("netns") for entry in found.values()}
    for netns, (name, workload) in pod_netns.notes().items():
        if name not in found and netns not in inhabited:
            found[name] = {"workload": workload, "netns": netns, "pod": "no link"}
    return found


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


def ensure(endpoints: t.Sequence[t.Mapping[str, t.Any]], *, state: str, exclusive: bool, check_mode: bool) -> Outcome:
    """Bring the endpoints of ours in line with a list; all input is checked before anything is touched."""
    wanted = parse(endpoints)
    with only_one(check_mode), Netlink() as netlink:
        actual = read(netlink, wanted)
        changes = plan(actual, wanted, present=state == "present", exclusive=exclusive)
        if changes:
            # Imported here since most calls have nothing to do, and a module's sources are compiled in each call.
            from ansible_collections.podnet.calico.plugins.module_utils.kernel import endpoint_apply, endpoint_conflicts

            endpoint_conflicts.refuse_conflicts(netlink, changes, actual)
            if not check_mode:
                endpoint_apply.apply(netlink, changes, wanted)
    names = [{"name": entry["workload"], "host_interface": name} for name, entry in wanted.items()]
    return Outcome(changes, {"endpoints": names})
