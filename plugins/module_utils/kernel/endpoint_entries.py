# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods' endpoints as a user lists them, checked and in canonical form. Nothing is touched here."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, refuse_twice
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU, has_ipv6, host_prefix, is_ipv6
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    alias,
    canonical_mac,
    is_device_name,
)

Entry = t.Dict[str, t.Any]

_WORD = re.compile(r"[^\s\x00-\x1f\ud800-\udfff]+")
_LONGEST_NAME = 15  # IFNAMSIZ with its zero byte is 16
_LONGEST_ALIAS = 255  # IFALIASZ with its zero byte is 256
_NAMED = ("/run/netns", "/var/run/netns")  # where the named namespaces are (ip-netns(8))
_MTU = range(68, 65536)  # ETH_MIN_MTU and ETH_MAX_MTU of the kernel's veth


def interface_name(workload: str) -> str:
    """Return the name of a pod's link on the host: cali and 11 hex digits of SHA-1 of "namespace.pod" (Calico)."""
    return "cali" + hashlib.sha1(workload.encode()).hexdigest()[:11]  # noqa: S324 (an identifier, not a secret)


def parse(entries: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, Entry]:
    """Return endpoints in canonical form, by the name of the host's end. Raises InvalidInput.

    An entry has name (of the workload, "namespace.pod"), netns (name or path) or pid, addresses (without or with /32,
    /128), mtu (bytes), interface (in the pod), host_interface and mac (both optional).
    """
    names = [_host_interface(entry) for entry in entries]
    refuse_twice("endpoints", names)
    wanted = dict(zip(names, map(_normalise, entries)))
    _refuse_shared(wanted)
    return wanted


def alias_of(entry: Entry) -> str:
    """Return the alias of the host's end: our mark, the workload and its network namespace."""
    return alias(f"endpoint {entry['workload']} {entry['netns']}")


def _normalise(entry: t.Mapping[str, t.Any]) -> Entry:
    what = f"endpoint {entry['name']}"
    netns = _word(what, "netns", _netns(entry))
    result: Entry = {
        "workload": entry["name"],
        "netns": netns,
        "addresses": sorted({_address(what, text) for text in entry.get("addresses") or []}),
        "mtu": entry.get("mtu") or 1500,
        "interface": _interface(what, "interface", entry.get("interface") or "eth0"),
    }
    if result["mtu"] not in _MTU:
        raise InvalidInput(f"{what}: mtu {result['mtu']} is not between {_MTU[0]} and {_MTU[-1]}", remedy="Correct mtu")
    if result["mtu"] < IPV6_MTU and has_ipv6(result["addresses"]):
        address = next(filter(is_ipv6, result["addresses"]))
        raise InvalidInput(
            f"{what}: mtu {result['mtu']} is too small for {address}",
            remedy=f"IPv6 needs {IPV6_MTU}: correct mtu, or leave the address out",
        )
    if len(alias_of(result).encode()) > _LONGEST_ALIAS:
        raise InvalidInput(f"{what}: name and netns are too long for a link's alias", remedy="Shorten one of them")
    if entry.get("mac"):
        result["mac"] = _mac(what, entry["mac"])
    return result


def _word(what: str, option: str, value: str) -> str:
    """Return a value that can stand in an alias between blanks, and in a path."""
    if not _WORD.fullmatch(value) or value in (".", ".."):
        raise InvalidInput(f'{what}: {option} "{value}" is empty or has blanks', remedy=f"Correct {option}")
    return value


def _netns(entry: t.Mapping[str, t.Any]) -> str:
    if entry.get("netns") and entry.get("pid"):
        raise InvalidInput(f"endpoint {entry['name']}: both netns and pid are given", remedy="Give one of them")
    if entry.get("pid") is not None:
        if entry["pid"] < 1:  # what container engines say of a container that does not run
            raise InvalidInput(f"endpoint {entry['name']}: pid {entry['pid']} is no process", remedy="Is it running?")
        return f"/proc/{entry['pid']}/ns/net"
    netns = str(entry.get("netns") or entry["name"])
    if "/" in netns and not netns.startswith("/"):
        raise InvalidInput(
            f'endpoint {entry["name"]}: netns "{netns}" is neither a name nor a whole path', remedy="Correct netns"
        )
    directory, __, name = netns.rpartition("/")
    return name if directory in _NAMED else netns


def _address(what: str, text: str) -> str:
    """Return an address with its prefix length; most are plain IPv4 ones, for which the C library's reading will do."""
    try:
        packed = socket.inet_pton(socket.AF_INET, text)
        if 0 < packed[0] < 224:  # neither unspecified nor multicast
            return f"{socket.inet_ntop(socket.AF_INET, packed)}/32"
    except (OSError, TypeError, ValueError):
        pass  # anything else, or nothing
    try:
        if "%" in text:
            raise ValueError("an address with a zone is one of a single link")
        address = ipaddress.ip_interface(text)
    except ValueError as error:
        raise InvalidInput(f'{what}: "{text}" is not an address', remedy="Correct addresses") from error
    if address.network.prefixlen != address.max_prefixlen:
        raise InvalidInput(
            f'{what}: address "{text}" has a prefix length of its own',
            remedy=f"A pod's address stands alone: write {host_prefix(address.ip)}",
        )
    if address.is_multicast or address.is_unspecified or (address.version == 6 and address.is_link_local):
        raise InvalidInput(f'{what}: address "{text}" is none that a pod can be reached by', remedy="Correct addresses")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return f"{socket.inet_ntop(family, address.packed)}/{address.max_prefixlen}"  # as the kernel's tools spell it


def _mac(what: str, text: str) -> str:
    try:
        mac = canonical_mac(text)
    except ValueError as error:
        raise InvalidInput(f'{what}: mac "{text}" is not a MAC', remedy="Correct mac") from error
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise InvalidInput(f'{what}: mac "{text}" is not one of a single interface', remedy="Correct mac")
    return mac


def _host_interface(entry: t.Mapping[str, t.Any]) -> str:
    """Return the name of the host's end: the given one, else Calico's."""
    what = f"endpoint {entry['name']}"
    workload = _word(what, "name", entry["name"])
    return _interface(what, "host_interface", entry.get("host_interface") or interface_name(workload))


def _interface(what: str, option: str, name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise InvalidInput(f'{what}: {option} "{name}" is longer than 15 characters', remedy=f"Shorten {option}")
    if not is_device_name(name) or name in ("lo", "all", "default"):
        raise InvalidInput(f'{what}: {option} "{name}" is not the name of a device', remedy=f"Correct {option}")
    return name


def _refuse_shared(wanted: t.Mapping[str, Entry]) -> None:
    """Raise InvalidInput for what two endpoints want: an address, or an interface or default route in a namespace."""
    holders: dict[str, str] = {}
    for entry in wanted.values():
        things = [f"{entry['interface']} in namespace {entry['netns']}"]
        for version in sorted({6 if ":" in address else 4 for address in entry["addresses"]}):
            things.append(f"the IPv{version} default route in namespace {entry['netns']}")
        for thing in (*entry["addresses"], *things):
            if thing in holders:
                raise InvalidInput(
                    f"endpoints: {holders[thing]} and {entry['workload']} both want {thing}",
                    remedy="Give each its own",
                )
            holders[thing] = entry["workload"]
