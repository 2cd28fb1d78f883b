# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnel devices with their address, neighbours and forwarding database as one unit: tunl0 and vxlan.calico."""

from __future__ import annotations

import errno
import ipaddress
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import (
    Conflict,
    InvalidInput,
    KernelError,
    refuse_twice,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import (
    NetlinkError,
    alias,
    canonical_mac,
    explained,
    is_ours,
    link_info,
    links,
    open_netlink,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import IPIP_DEVICE

Entry = t.Dict[str, t.Any]

# A change of these needs a new device (Linux: vxlan_changelink refuses them); all else is changed in place.
IMMUTABLE = ("kind", "vni", "port", "local", "parent", "mac", "learning")
NUD_PERMANENT = 0x80
NTF_SELF = 0x02
AF_BRIDGE = 7


def normalise(entry: t.Mapping[str, t.Any]) -> Entry:
    """Return a tunnel in the canonical form in which wanted and actual tunnels are compared.

    entry: kind ("ipip", "vxlan"), name, address (of the device), mtu (bytes), local, parent, and for a VXLAN vni, port,
    mac and peers ({address, mac, underlay}). Raises InvalidInput for what is missing or is not an address.
    """
    result: Entry = {"kind": entry["kind"], "mtu": entry["mtu"], "up": True, "ours": True}
    result["address"] = _parsed(entry, "address", entry["address"], ipaddress.ip_interface)
    if entry["kind"] == "ipip":
        return result
    for field in ("local", "parent", "vni", "port", "mac"):
        if entry.get(field) is None:
            raise InvalidInput(f"tunnel {entry['name']}: a vxlan needs the option {field}", remedy=f"Set {field}")
        result[field] = entry[field]
    result["local"] = _parsed(entry, "local", entry["local"], ipaddress.ip_address)
    result["mac"] = _parsed(entry, "mac", entry["mac"], canonical_mac)
    result["learning"] = False
    result["neighbours"], result["fdb"] = {}, {}
    for peer in entry.get("peers") or []:
        peer_mac = _parsed(entry, "peers.mac", peer["mac"], canonical_mac)
        result["neighbours"][_parsed(entry, "peers.address", peer["address"], ipaddress.ip_address)] = peer_mac
        result["fdb"][peer_mac] = _parsed(entry, "peers.underlay", peer["underlay"], ipaddress.ip_address)
    return result


def _parsed(entry: t.Mapping[str, t.Any], field: str, value: str, parse: t.Callable[[str], t.Any]) -> str:
    """Return a value in its canonical spelling, or raise InvalidInput that names tunnel, option and value."""
    try:
        return str(parse(value))
    except ValueError as error:
        kind = "a MAC" if field.endswith("mac") else "an address"
        raise InvalidInput(f'tunnel {entry["name"]}: {field} "{value}" is not {kind}') from error


def read(ipr: t.Any, wanted: t.Container[str]) -> dict[str, Entry]:
    """Return the tunnels of ours and those with a wanted name, by name, in canonical form."""
    everything = links(ipr)
    names = {link["index"]: name for name, link in everything.items()}
    found = {}
    for name, link in everything.items():
        kind, data = link_info(link)
        if name not in wanted and not (is_ours(link) and kind in ("ipip", "vxlan")):
            continue
        entry: Entry = {
            "kind": kind or "plain device",
            "mtu": link.get_attr("IFLA_MTU"),
            "up": bool(link["flags"] & 1),
            "ours": is_ours(link),
        }
        addresses = sorted(_addresses(ipr, link["index"]))
        entry["address"] = addresses[0] if len(addresses) == 1 else ", ".join(addresses)
        if kind == "vxlan":
            entry.update(_read_vxlan(ipr, link, data, names))
        found[name] = entry
    return found


def _addresses(ipr: t.Any, index: int) -> t.Iterator[str]:
    for message in ipr.get_addr(index=index):
        if message["index"] == index and message["scope"] != 253:
            yield f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"


def _read_vxlan(ipr: t.Any, link: t.Any, data: dict[str, t.Any], names: t.Mapping[int, str]) -> Entry:
    index = link["index"]
    entry: Entry = {
        "vni": data.get("IFLA_VXLAN_ID"),
        "port": data.get("IFLA_VXLAN_PORT"),
        "local": data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6"),
        "parent": names.get(data.get("IFLA_VXLAN_LINK", 0), ""),
        "mac": (link.get_attr("IFLA_ADDRESS") or "").lower(),
        "learning": bool(data.get("IFLA_VXLAN_LEARNING")),
        "neighbours": {},
        "fdb": {},
    }
    for family in (socket.AF_INET, socket.AF_INET6):
        for message in ipr.get_neighbours(family=family):
            if message["ifindex"] == index and message["state"] & NUD_PERMANENT and message.get_attr("NDA_LLADDR"):
                entry["neighbours"][message.get_attr("NDA_DST")] = message.get_attr("NDA_LLADDR").lower()
    for message in ipr.get_neighbours(family=AF_BRIDGE):
        if message["ifindex"] == index and message.get_attr("NDA_DST"):
            entry["fdb"][message.get_attr("NDA_LLADDR").lower()] = message.get_attr("NDA_DST")
    return entry


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
    return sorted(changes, key=lambda change: change.action == "delete")


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


def apply(ipr: t.Any, changes: t.Iterable[Change], wanted: t.Mapping[str, Entry]) -> None:
    """Make the changes: device, then address, then neighbours and forwarding entries."""
    for change in changes:
        name = change.name
        with explained(f"{change.action} tunnel {name}"):
            if change.action == "delete":
                _remove(ipr, name)
            else:
                _configure(ipr, name, read(ipr, {name}).get(name), wanted[name])


def _remove(ipr: t.Any, name: str) -> None:
    """Delete a device, or give the kernel's own tunl0 back as it was: without address, down, unmarked."""
    index = links(ipr)[name]["index"]
    if name == IPIP_DEVICE:
        for address in _addresses(ipr, index):
            _address(ipr, "del", index, address)
        ipr.link("set", index=index, state="down", IFLA_IFALIAS="")
        return
    ipr.link("del", index=index)


def _configure(ipr: t.Any, name: str, actual: Entry | None, wanted: Entry) -> None:
    if actual is not None and wanted["kind"] == "vxlan" and needs_new_device(actual, wanted):
        _remove(ipr, name)
        actual = None
    if actual is None:
        _create(ipr, name, wanted)
    index = links(ipr)[name]["index"]
    ipr.link("set", index=index, mtu=wanted["mtu"], IFLA_IFALIAS=alias("tunnel"))
    present = set(_addresses(ipr, index))
    if wanted["address"] not in present:
        _address(ipr, "add", index, wanted["address"])
    for address in present - {wanted["address"]}:
        _address(ipr, "del", index, address)
    ipr.link("set", index=index, state="up")
    if wanted["kind"] == "vxlan":
        _peers(ipr, index, actual or {"neighbours": {}, "fdb": {}}, wanted)


def _create(ipr: t.Any, name: str, wanted: Entry) -> None:
    if wanted["kind"] == "ipip":
        _create_ipip(ipr, name)
        return
    everything = links(ipr)
    if wanted["parent"] not in everything:
        raise KernelError(f"create tunnel {name}: there is no device {wanted['parent']}", remedy="Correct its parent")
    version = ipaddress.ip_address(wanted["local"]).version
    ipr.link(
        "add",
        ifname=name,
        kind="vxlan",
        address=wanted["mac"],
        vxlan_id=wanted["vni"],
        vxlan_port=wanted["port"],
        vxlan_link=everything[wanted["parent"]]["index"],
        vxlan_learning=0,
        **{"vxlan_local" if version == 4 else "vxlan_local6": wanted["local"]},
    )


def _create_ipip(ipr: t.Any, name: str) -> None:
    """Make tunl0: the kernel makes it by itself when its module is loaded, which the request triggers."""
    with explained(f"create tunnel {name}"):
        try:
            ipr.link("add", ifname=name, kind="ipip")
        except NetlinkError as error:
            if error.code != errno.EEXIST or name not in links(ipr):
                raise


def _address(ipr: t.Any, command: str, index: int, address: str) -> None:
    interface = ipaddress.ip_interface(address)
    ipr.addr(command, index=index, address=str(interface.ip), prefixlen=interface.network.prefixlen)


def _peers(ipr: t.Any, index: int, actual: Entry, wanted: Entry) -> None:
    """Bring neighbours and forwarding entries in line: new and changed ones first, then what is left over."""
    for address, mac in wanted["neighbours"].items():
        if actual["neighbours"].get(address) != mac:
            ipr.neigh("replace", ifindex=index, dst=address, lladdr=mac, state=NUD_PERMANENT)
    for mac, underlay in wanted["fdb"].items():
        if actual["fdb"].get(mac) != underlay:
            _forward(ipr, "replace" if mac in actual["fdb"] else "append", index, mac, underlay)
    for address, mac in actual["neighbours"].items():
        if address not in wanted["neighbours"]:
            ipr.neigh("del", ifindex=index, dst=address, lladdr=mac)
    for mac, underlay in actual["fdb"].items():
        if mac not in wanted["fdb"]:
            _forward(ipr, "del", index, mac, underlay)


def _forward(ipr: t.Any, command: str, index: int, mac: str, underlay: str) -> None:
    ipr.fdb(command, ifindex=index, lladdr=mac, dst=underlay, state=NUD_PERMANENT, flags=NTF_SELF)


def ensure(tunnels: t.Sequence[t.Mapping[str, t.Any]], *, state: str, exclusive: bool, check_mode: bool) -> Outcome:
    """Bring the tunnels of ours in line with a list; all input is checked before anything is touched."""
    refuse_twice("tunnels", (entry["name"] for entry in tunnels))
    wanted = {entry["name"]: normalise(entry) for entry in tunnels}
    with open_netlink() as ipr:
        actual = read(ipr, wanted)
        changes = plan(actual, wanted, present=state == "present", exclusive=exclusive)
        if not check_mode:
            apply(ipr, changes, wanted)
    rest = [] if exclusive or state == "absent" else plan(actual, wanted, exclusive=True)
    return Outcome(changes, {"surplus": [change.name for change in rest if change.action == "delete"]})
