# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel devices with their address, neighbours and forwarding database as one unit: tunl0 and VXLAN devices."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import IPIP_DEVICE
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, refuse_twice
from ansible_collections.podnet.calico.plugins.module_utils.kernel import offload, vtep_tables
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import Link, link_named, links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_entries import Entry, normalise
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import address_text, as_number

# A change of these needs a new device (Linux: vxlan_changelink refuses them); all else is changed in place.
IMMUTABLE = ("kind", "vni", "port", "local", "parent", "group", "flow_based", "gbp", "l2miss")
# linux/if_link.h: IFLA_VXLAN_…
_ID, _GROUP, _LINK, _LOCAL, _LEARNING, _L2MISS, _PORT = 1, 2, 3, 4, 7, 13, 15
_GROUP6, _LOCAL6, _GBP, _COLLECT_METADATA = 16, 17, 23, 25


def read(netlink: Netlink, wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the tunnels of ours and those with a wanted name, by name, in canonical form."""
    devices = Devices()
    tunnels = {link.name: link for kind in ("vxlan", "ipip") for link in links(netlink, kind)}
    for name in wanted:
        other = None if name in tunnels else link_named(netlink, name)
        tunnels.update({name: other} if other else {})
    return {
        name: _read_one(netlink, link, devices, wanted.get(name, {}))
        for name, link in tunnels.items()
        if name in wanted or link.ours
    }


def _read_one(netlink: Netlink, link: Link, devices: Devices, wanted: Entry) -> Entry:
    entry: Entry = {"kind": link.kind or "plain device", "mtu": link.mtu, "up": link.up, "ours": link.ours}
    entry["address"] = ", ".join(sorted(vtep_tables.addresses(netlink, link.index)))
    if "checksum_offload" in wanted:  # whoever does not care does not compare
        entry["checksum_offload"] = offload.get(link.name)
    if link.kind == "vxlan":
        entry.update(_read_vxlan(link, devices))
        entry["neighbours"], entry["fdb"] = vtep_tables.read(netlink, link.index)
    return entry


def _read_vxlan(link: Link, devices: Devices) -> Entry:
    data = link.data
    parent = as_number(data.get(_LINK))
    special = {
        "group": _address(data.get(_GROUP) or data.get(_GROUP6)),
        "flow_based": bool(as_number(data.get(_COLLECT_METADATA))),
        "gbp": _GBP in data,
        "l2miss": bool(as_number(data.get(_L2MISS))),
    }
    return {
        "vni": as_number(data.get(_ID)),
        "port": int.from_bytes(data.get(_PORT, b""), "big"),
        "local": _address(data.get(_LOCAL) or data.get(_LOCAL6)),
        "parent": devices.name(parent) if parent else "",
        "mac": link.mac,
        "learning": bool(as_number(data.get(_LEARNING))),
        **{name: value for name, value in special.items() if value},
    }


def _address(packed: bytes | None) -> str | None:
    return address_text(packed) if packed else None


def plan(
    actual: t.Mapping[str, Entry], wanted: t.Mapping[str, Entry], *, present: bool = True, exclusive: bool = False
) -> list[Change]:
    """Return the changes that make the wanted tunnels exist (or not); exclusive removes others of ours.

    A device of another kind under a wanted name is a Conflict; one of the right kind is adopted.
    """
    ours = {name: entry for name, entry in actual.items() if entry["ours"]}
    for name, entry in wanted.items():
        if present and name in actual and actual[name]["kind"] != entry["kind"]:
            raise Conflict(
                f"configure tunnel {name}: a device of that name exists, of kind {actual[name]['kind']}",
                remedy="Remove or rename it",
            )
    if not present:
        after = {name: entry for name, entry in ours.items() if name not in wanted}
    else:
        after = dict(wanted) if exclusive else {**ours, **wanted}
    before = {name: entry for name, entry in actual.items() if name in after or entry["ours"]}
    shown_before = {
        name: _shown(entry, after.get(name)) for name, entry in before.items() if _exists(name, entry, after)
    }
    changes = compare("tunnel", shown_before, {name: _shown(entry, None) for name, entry in after.items()})
    taken = {(entry["vni"], entry["port"]) for entry in wanted.values() if entry["kind"] == "vxlan"}
    return sorted(changes, key=lambda change: _turn(change, taken))


def _turn(change: Change, taken: t.Container[t.Any]) -> int:
    """Devices that go come last, but for one whose VNI and port another gets: the kernel takes them only once."""
    if change.action != "delete":
        return 1
    return 0 if (change.before.get("vni"), change.before.get("port")) in taken else 2


def _exists(name: str, entry: Entry, after: t.Mapping[str, Entry]) -> bool:
    """Leave out the kernel's own idle tunl0: configuring it creates the tunnel as far as a user can see."""
    return not (name == IPIP_DEVICE and not entry["ours"] and not entry["address"] and name in after)


def _shown(entry: Entry, after: Entry | None) -> Entry:
    shown = {key: value for key, value in entry.items() if key not in ("up", "ours") or not value}
    if after is not None and entry["kind"] == "vxlan" and needs_new_device(entry, after):
        shown["device"] = "deleted and made anew: " + ", ".join(k for k in IMMUTABLE if entry.get(k) != after.get(k))
    return shown


def needs_new_device(before: Entry, after: Entry) -> bool:
    """Tell whether an attribute differs that cannot be changed on an existing device."""
    return any(before.get(field) != after.get(field) for field in IMMUTABLE)


def apply(netlink: Netlink, changes: t.Sequence[Change], wanted: t.Mapping[str, Entry]) -> None:
    """Make the changes: device, then address, then neighbours and forwarding entries."""
    # Imported here since only a change needs pyroute2, whose import takes longer than a call with nothing to do.
    from ansible_collections.podnet.calico.plugins.module_utils.kernel import tunnel_devices

    actual = read(netlink, {change.name: {} for change in changes})
    staying = [change.name for change in changes if change.after is not None and change.name in actual]
    anew = [name for name in staying if needs_new_device(actual[name], wanted[name])]
    with tunnel_devices.open_netlink() as ipr:
        for name in anew:
            tunnel_devices.parent_of(wanted[name], f"replace tunnel {name}")  # before anything is lost
        for name in anew:
            tunnel_devices.remove(ipr, name, f"replace tunnel {name}")
        for change in changes:
            what = f"{change.action} tunnel {change.name}"
            if change.action == "delete":
                tunnel_devices.remove(ipr, change.name, what)
                continue
            entry, before = wanted[change.name], None if change.name in anew else actual.get(change.name)
            if before is None:
                tunnel_devices.create(netlink, ipr, change.name, entry, what)
            index = tunnel_devices.configure(ipr, change.name, before, entry, what)
            if "checksum_offload" in entry:
                offload.put(change.name, entry["checksum_offload"])
            if entry["kind"] == "vxlan":
                vtep_tables.converge(netlink, index, entry, what)


def wanted_of(tunnels: t.Sequence[t.Mapping[str, t.Any]], checksum_offload: bool | None) -> dict[str, Entry]:
    """Return listed tunnels by name in canonical form; checksum_offload: None leaves it to the kernel's version."""
    refuse_twice("tunnels", (entry["name"] for entry in tunnels))
    offloaded = offload.default() if checksum_offload is None else checksum_offload
    extra = {} if offloaded is None else {"checksum_offload": offloaded}
    return {entry["name"]: {**normalise(entry), **extra} for entry in tunnels}


def _with_moved(actual: t.Mapping[str, Entry], wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return wanted tunnels that keep neighbours whose tunnel address has changed: routes still lead to the old one.

    They have the MAC of another wanted neighbour. With exclusive, when routes have followed, they go.
    """
    result = dict(wanted)
    for name, entry in wanted.items():
        if "neighbours" in entry:
            known, macs = actual.get(name, {}).get("neighbours", {}), set(entry["neighbours"].values())
            result[name] = {**entry, "neighbours": {a: m for a, m in known.items() if m in macs} | entry["neighbours"]}
    return result


def ensure(
    tunnels: t.Sequence[t.Mapping[str, t.Any]],
    *,
    state: str,
    exclusive: bool,
    check_mode: bool,
    checksum_offload: bool | None = None,
) -> Outcome:
    """Bring the tunnels of ours in line with a list; all input is checked before anything is touched."""
    wanted = wanted_of(tunnels, checksum_offload)
    present = state == "present"
    with only_one(check_mode), Netlink() as netlink:
        actual = read(netlink, wanted)
        now = wanted if exclusive or not present else _with_moved(actual, wanted)
        changes = plan(actual, now, present=present, exclusive=exclusive)
        if changes and not check_mode:
            apply(netlink, changes, now)
    rest = plan(actual, wanted, exclusive=True) if present and not exclusive else []
    surplus = [each.name for each in rest if each.action == "delete" or now[each.name] != wanted[each.name]]
    return Outcome(changes, {"surplus": surplus})


def prune(
    tunnels: t.Sequence[t.Mapping[str, t.Any]], *, check_mode: bool, checksum_offload: bool | None = None
) -> Outcome:
    """Remove what ensure without exclusive leaves beside the listed tunnels; check mode takes it as done before."""
    wanted = wanted_of(tunnels, checksum_offload)
    with only_one(check_mode), Netlink() as netlink:
        actual = read(netlink, wanted)
        changes = plan({**actual, **_with_moved(actual, wanted)}, wanted, exclusive=True)
        if changes and not check_mode:
            apply(netlink, changes, wanted)
    return Outcome(changes)


def made_anew(changes: t.Iterable[Change]) -> list[str]:
    """Return the names of devices that changes delete and make anew: the kernel drops their routes."""
    return [change.name for change in changes if change.action == "replace" and "device" in change.before]
