# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing NAT as one nftables table of ours: what is wanted, and how it differs from what is there.

The rules are those of Calico's Felix (felix/rules/nat.go). They are written and read as nft's JSON, which
libnftables-json(5) describes, so that what is wanted and what is there are compared in one language. Other tables are
not touched.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_sets import (
    Cover,
    Element,
    from_network,
    networks_of,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table, read, write
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

_CHAIN = "postrouting"
_BASE_CHAIN = {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}  # 100 is srcnat (nft(8))
_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_WORDS = {"masquerade": "masquerade", "pools": "pool", "exclude": "exclude"}  # an option, and one of it in a change
_SETS = {f"{option}{version}": word for option, word in _WORDS.items() for version in _FAMILIES}
_DEVICE = re.compile(r"[^\s/:@*]{1,15}")  # what the kernel takes as a name, without what means something to nft


class Nat(t.NamedTuple):
    """What is masqueraded: sources, unless the destination is in pools or exclude; and what enters tunnel devices."""

    masquerade: list[Network]
    pools: list[Network]
    exclude: list[Network]
    tunnels: list[str]


NOTHING = Nat([], [], [], [])


def parse(options: t.Mapping[str, t.Sequence[str] | None]) -> Nat:
    """Return the options as networks, in their order; raises InvalidInput with all that is wrong with them."""
    problems: list[InvalidInput] = []
    networks = {option: list(_networks(option, options[option] or [], problems)) for option in _WORDS}
    tunnels = list(dict.fromkeys(options["tunnels"] or []))
    problems += [
        InvalidInput(f'tunnels: "{name}" is not the name of a device', remedy="Write it as `ip link` shows it")
        for name in tunnels
        if not _DEVICE.fullmatch(name)
    ]
    raise_all(problems)
    nat = Nat(**networks, tunnels=tunnels)
    pools = Cover(nat.pools)
    raise_all([_uncovered(network) for network in nat.masquerade if network not in pools])
    return nat


def _networks(option: str, texts: t.Sequence[str], problems: list[InvalidInput]) -> t.Iterator[Network]:
    for text in dict.fromkeys(texts):
        try:
            if "/" not in text and option != "exclude":
                raise ValueError(f"{text!r} has no prefix length")
            yield ipaddress.ip_network(text)
        except ValueError as error:
            remedy = "Write a network without host bits, as 10.244.0.0/16"
            problems.append(InvalidInput(f'{option}: "{text}" cannot be used: {error}', remedy=remedy))


def _uncovered(network: Network) -> InvalidInput:
    return InvalidInput(
        f"masquerade: {network} is not within pools, so packets between its pods would be masqueraded, too",
        remedy="List in pools the ranges of all pods",
    )


def wanted(nat: Nat) -> Table:
    """Return the table that NAT needs; empty where nothing is masqueraded. Networks are as the user gave them."""
    if not nat.masquerade:
        return Table({}, {})
    definitions: dict[str, t.Any] = {f"table {NFT_TABLE}": {}}
    members: dict[str, list[Element]] = {}
    rules: dict[str, t.Any] = {}
    for version in sorted({network.version for network in nat.masquerade}):
        given = {option: [n for n in getattr(nat, option) if n.version == version] for option in _WORDS}
        sets = {option: f"{option}{version}" for option in _WORDS if given[option]}
        for option, name in sets.items():
            definitions[f"set {name}"] = {"type": _FAMILIES[version][1], "flags": ["interval"]}
            members[name] = [from_network(network) for network in given[option]]
        rules[f"rule pods IPv{version}"] = _rule(_leaving_pools(_FAMILIES[version][0], sets))
    rules.update((f"rule tunnel {name}", _rule(_entering_tunnel(name))) for name in nat.tunnels)
    return Table({**definitions, f"chain {_CHAIN}": _BASE_CHAIN, **rules}, members)


def _rule(matches: list[t.Any]) -> dict[str, t.Any]:
    return {"chain": _CHAIN, "expr": [*matches, {"masquerade": {"flags": ["fully-random"]}}]}


def _match(left: t.Any, operator: str, right: str) -> dict[str, t.Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def _leaving_pools(protocol: str, sets: t.Mapping[str, str]) -> list[t.Any]:
    """Match packets from pods whose pool masquerades to what is no pod: `ip saddr @masquerade4 ip daddr != @pools4`."""
    source, destination = ({"payload": {"protocol": protocol, "field": field}} for field in ("saddr", "daddr"))
    spared = [_match(destination, "!=", f"@{sets[option]}") for option in ("pools", "exclude") if option in sets]
    return [_match(source, "==", f"@{sets['masquerade']}"), *spared]


def _entering_tunnel(device: str) -> list[t.Any]:
    """Match packets of the host itself that enter a tunnel with an address of another device.

    The answer would come back beside the tunnel and be dropped by the reverse path filter. In nft's words:
    `oifname DEVICE fib saddr . oif type != local fib saddr type local`.
    """
    return [
        _match({"meta": {"key": "oifname"}}, "==", device),
        _match({"fib": {"result": "type", "flags": ["oif", "saddr"]}}, "!=", "local"),
        _match({"fib": {"result": "type", "flags": ["saddr"]}}, "==", "local"),
    ]


def plan(there: Table, needed: Table) -> list[Change]:
    """Return the changes that turn the content of a table into another; networks are named as the user gave them."""
    before, after = dict(there.definitions), dict(needed.definitions)
    for name, word in _SETS.items():
        given = [network for element in needed.members.get(name, []) for network in element.networks]
        found = there.members.get(name, [])
        strange = [json.dumps(element.spelling, sort_keys=True) for element in found if not element.networks]
        before.update((f"{word} {member}", {}) for member in [*_as_given(networks_of(found), given), *strange])
        after.update((f"{word} {network}", {}) for network in given)
    return compare("nat", before, after)


def _as_given(networks: list[Network], given: list[Network]) -> list[Network]:
    """Return joined networks in the words of the given ones, where these cover them."""
    cover = Cover(given)
    covered = Cover(network for network in networks if network in cover)
    return [network for network in networks if network not in cover] + [n for n in given if n in covered]


def ensure(nat: Nat, *, check_mode: bool) -> Outcome:
    """Bring our table in line, in one transaction; raises KernelError.

    Only what differs is touched, so that each packet meets the old rules or the new ones. Where the table is there, but
    defined otherwise (see commands() in nat_table), it is made anew; a connection that begins at that very moment may
    keep the address of its pod.
    """
    there, needed = read(_SETS), wanted(nat)
    changes = plan(there, needed)
    if changes and not check_mode:
        write(there, needed)
    return Outcome(changes)
