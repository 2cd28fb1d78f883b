# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels as a user lists them, checked and in canonical form. Nothing is touched here."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU, has_ipv6
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import canonical_mac, is_device_name

Entry = t.Dict[str, t.Any]

# Numbers that the kernel takes: MTU of an IP link (RFC 791), VNI of 24 bits (RFC 7348), UDP port.
_RANGES = {"mtu": (68, 65535), "vni": (0, (1 << 24) - 1), "port": (1, 65535)}


def normalise(entry: t.Mapping[str, t.Any]) -> Entry:
    """Return a tunnel in the canonical form in which wanted and actual tunnels are compared.

    entry: kind ("ipip", "vxlan"), name, address (of the device), mtu (bytes), local, parent, and for a VXLAN vni, port,
    mac and peers ({address, mac, underlay}). A VXLAN without a parent has "". Raises InvalidInput for what is missing
    or cannot be used.
    """
    _check(entry)
    result: Entry = {"kind": entry["kind"], "mtu": entry["mtu"], "up": True, "ours": True}
    result["address"] = _parsed(entry, "address", entry["address"], ipaddress.ip_interface)
    if entry["mtu"] < IPV6_MTU and has_ipv6([result["address"]]):
        raise InvalidInput(
            f"tunnel {entry['name']}: mtu {entry['mtu']} is too small for {result['address']}",
            remedy=f"IPv6 needs {IPV6_MTU}",
        )
    if entry["kind"] == "ipip":
        return result
    result["parent"] = entry.get("parent") or ""
    for field in ("local", "vni", "port", "mac"):
        if entry.get(field) is None:
            raise InvalidInput(f"tunnel {entry['name']}: a vxlan needs the option {field}", remedy=f"Set {field}")
        result[field] = entry[field]
    result["local"] = _parsed(entry, "local", entry["local"], ipaddress.ip_address)
    result["mac"] = _parsed(entry, "mac", entry["mac"], canonical_mac)
    result["learning"] = False
    result["neighbours"], result["fdb"] = {}, {}
    for peer in entry.get("peers") or []:
        mac = _parsed(entry, "peers.mac", peer["mac"], canonical_mac)
        address = _parsed(entry, "peers.address", peer["address"], ipaddress.ip_address)
        underlay = _parsed(entry, "peers.underlay", peer["underlay"], ipaddress.ip_address)
        for table, key, value in (("neighbours", address, mac), ("fdb", mac, underlay)):
            if result[table].setdefault(key, value) != value:
                raise InvalidInput(
                    f"tunnel {entry['name']}: two of peers have {key}, one with {result[table][key]} and one with "
                    f"{value}",
                    remedy="Give each its own",
                )
    return result


def _check(entry: t.Mapping[str, t.Any]) -> None:
    """Raise InvalidInput for names that no device has, and for numbers out of range."""
    for option in ("name", "parent"):
        if entry.get(option) is not None and not is_device_name(entry[option]):
            raise InvalidInput(
                f'tunnel {entry["name"]}: {option} "{entry[option]}" is not the name of a device',
                remedy=f"Correct {option}",
            )
    for option, (low, high) in _RANGES.items():
        value = entry.get(option)
        if value is not None and not low <= value <= high:
            raise InvalidInput(
                f"tunnel {entry['name']}: {option} {value} is not between {low} and {high}", remedy=f"Correct {option}"
            )


def _parsed(entry: t.Mapping[str, t.Any], field: str, value: str, parse: t.Callable[[str], t.Any]) -> str:
    """Return a value in its canonical spelling, or raise InvalidInput that names tunnel, option and value."""
    try:
        if "%" in value:
            raise ValueError("an address with a zone is one of a single link")
        return str(parse(value))
    except ValueError as error:
        kind = "a MAC" if field.endswith("mac") else "an address"
        raise InvalidInput(
            f'tunnel {entry["name"]}: {field} "{value}" is not {kind}', remedy=f"Correct {field}"
        ) from error
