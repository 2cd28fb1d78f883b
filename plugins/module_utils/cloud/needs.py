# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modes need of a cloud, whichever it is, and how a plan for it is written down; pure.

A plan is a list of steps, each one call of the cloud's interface. Rules of firewalls are ours by the beginning of their
description.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import BGP_PORT, VXLAN_PORT, ways
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput, refuse_twice
from ansible_collections.podnet.calico.plugins.module_utils.planner.needs import bird_routes

MARK = "podnet.calico: "


class Step(t.NamedTuple):
    """A change, the method of the client that makes it, and the method's arguments."""

    change: Change
    method: str
    arguments: dict[str, t.Any]


class Wanted(t.NamedTuple):
    """What nodes need: whether packets with pods' addresses pass, and what else does, as (protocol, port or None)."""

    direct: bool
    open: tuple[tuple[str, int | None], ...]


def wanted(modes: t.Collection[str], bgp: str = "auto", bgp_port: int = BGP_PORT) -> Wanted:
    """Return what modes need. bgp: see planner.needs.bird_routes."""
    used = {kind for mode in modes for kind in ways(mode)}
    needs: list[tuple[str, int | None, bool]] = [
        ("4", None, "ipip" in used),
        ("udp", VXLAN_PORT, "vxlan" in used),
        ("tcp", bgp_port, bird_routes(bgp, modes)),
    ]
    return Wanted("direct" in used, tuple((protocol, port) for protocol, port, needed in needs if needed))


class Machine(t.NamedTuple):
    """Whose interfaces carry pods' packets: those of a machine's id, those with an address, or those with both."""

    id: str
    addresses: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return what a person calls it."""
        return self.id or " or ".join(self.addresses)


class Interface(t.Protocol):
    """A network interface of whichever cloud. machine: the id of whose it is."""

    @property
    def id(self) -> str: ...

    @property
    def machine(self) -> str: ...

    @property
    def addresses(self) -> tuple[str, ...]: ...


AnInterface = t.TypeVar("AnInterface", bound=Interface)


def machines_of(option: str, given: t.Sequence[t.Mapping[str, t.Any]]) -> list[Machine]:
    """Return the machines of an option, their addresses without prefix lengths."""
    found = []
    for machine in given:
        addresses = tuple(address.partition("/")[0] for address in machine["addresses"] or [])
        if not machine["id"] and not addresses:
            raise InvalidInput(f"{option}: one has neither id nor addresses", remedy="Give one of the two")
        found.append(Machine(machine["id"] or "", addresses))
    refuse_twice(option, (machine.words for machine in found))
    return found


def carrying(found: t.Sequence[AnInterface], machines: t.Sequence[Machine]) -> dict[str, list[AnInterface]]:
    """Return the interfaces of each machine that carry pods' packets, by its words.

    Raise Conflict where an address alone means several interfaces.
    """
    chosen = {}
    for machine in machines:
        interfaces = [
            each
            for each in sorted(found, key=lambda each: each.id)
            if (not machine.id or each.machine == machine.id)
            and (not machine.addresses or set(each.addresses) & set(machine.addresses))
        ]
        if not machine.id and len(interfaces) > 1:
            raise Conflict(
                f"{machine.words}: several have the address: {', '.join(each.id for each in interfaces)}",
                remedy="Give the id of the machine (cloud_instance) as well",
            )
        chosen[machine.words] = interfaces
    return chosen


def refuse_missing(chosen: t.Mapping[str, t.Sequence[Interface]]) -> None:
    """Raise InvalidInput if a machine has no interface."""
    for machine, interfaces in chosen.items():
        if not interfaces:
            raise InvalidInput(
                f"{machine} has no network interface that these credentials see",
                remedy="Look at the machine's id, the node's address, the account and the region",
            )


def pools_of(given: t.Sequence[str]) -> list[str]:
    """Return the ranges of an option as clouds write them."""
    try:
        return [str(ipaddress.ip_network(pool)) for pool in given]
    except ValueError as error:
        raise InvalidInput(f"pools: {error}", remedy="Give ranges such as 10.244.0.0/16") from error


def of_options(params: t.Mapping[str, t.Any]) -> Wanted | None:
    """Return what the options of a module (see argspec.cloud) want; None to take all back."""
    if params["state"] == "absent":
        return None
    return wanted(params["encapsulations"], params.get("bgp", "auto"), params.get("bgp_port", 179))


def words(protocol: str, port: int | None) -> str:
    """Return what is let pass as a person reads it."""
    return f"IP protocol {protocol}" if port is None else f"{protocol.upper()} {port}"


class Need(t.NamedTuple):
    """What has to come in: protocol ("" for any), port or None, and from which range, "" for the other nodes."""

    protocol: str
    port: int | None
    source: str

    @property
    def words(self) -> str:
        """Return it as a person reads it."""
        return f"all from {self.source}" if self.source else words(self.protocol, self.port)

    @property
    def version(self) -> int:
        """Return the IP version."""
        return ipaddress.ip_network(self.source).version if self.source else 4


def needed(wanted: Wanted, pools: t.Sequence[str]) -> list[Need]:
    """Return what has to come in: firewalls look at pods' addresses as well, where those are not encapsulated."""
    between = [Need(protocol, port, "") for protocol, port in wanted.open]
    return [*between, *(Need("", None, pool) for pool in pools if wanted.direct)]


def within(inner: str, outer: str) -> bool:
    """Tell whether a range or address lies in another."""
    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer, strict=False)
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def common_group(groups: t.Mapping[str, t.Collection[str]], named: str = "", noun: str = "security group") -> str:
    """Return the security group that all interfaces are in: the one that is named, or the only one; else raise.

    groups: those of each interface, by what a person calls it. noun: what the cloud calls a group.
    """
    if named:
        for interface, members in groups.items():
            if named not in members:
                raise Conflict(
                    f"{noun} {named}: {interface} is not in it",
                    remedy=f"Add it, or name another {noun} that all nodes are in",
                )
        return named
    found = [set(each) for each in groups.values()]
    common: set[str] = set.intersection(*found) if found else set()
    if len(common) == 1:
        return common.pop()
    there = f"are {', '.join(sorted(common))}" if common else "is none"
    raise Conflict(
        f"add rules to the {noun} that all nodes are in: there {there}",
        remedy=f"Name it as {noun.replace(' ', '_')} (cloud_security_group), or set rules (cloud_rules) to false and "
        "open what the modes need yourself",
    )
