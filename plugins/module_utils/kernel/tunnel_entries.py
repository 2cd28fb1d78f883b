# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels as a user lists them, checked and in canonical form. Nothing is touched here."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import canonical_mac

Entry = t.Dict[str, t.Any]

IPIP_DEVICE = "tunl0"


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
