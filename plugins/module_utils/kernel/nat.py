# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing NAT and the guard as one nftables table of ours: what is wanted, and how it differs from what is there.

The rules of NAT are those of Calico's Felix (felix/rules/nat.go). They are written and read as nft's JSON, which
libnftables-json(5) describes, so that what is wanted and what is there are compared in one language. Other tables are
not touched.
"""

from __future__ import annotations

import ipaddress
import json
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_sets import (
    Cover,
    Element,
    from_network,
    networks_of,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table, placed, read, write
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nft_words import (
    DEVICE,
    FAMILIES,
    Json,
    address,
    fib,
    ipip,
    match,
    meta,
    rule,
    udp_to,
    verdict,
)
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

_CHAIN = "postrouting"
_BASE_CHAIN = {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}  # 100 is srcnat (nft(8))
_WORDS = {"masquerade": "masquerade", "pools": "pool", "exclude": "exclude"}  # an option, and one of it in a change
_ALL_WORDS = {**_WORDS, "nodes": "node"}
SETS = {f"{option}{version}": word for option, word in _ALL_WORDS.items() for version in FAMILIES}
_OF_GUARD = ("prerouting", "output", "translated", "containers", "pods", "nodes4", "nodes6")


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
        if not DEVICE.fullmatch(name)
    ]
    raise_all(problems)
    nat = Nat(**networks, tunnels=tunnels)
    pools = Cover(nat.pools)
    raise_all([_uncovered(network) for network in nat.masquerade if network not in pools])
    return nat


def of_plan(plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a node's plan."""
    return {**plan["nat"], "exclude": [], "tunnels": [tunnel["name"] for tunnel in plan["tunnels"]]}


def _networks(option: str, texts: t.Sequence[str], problems: list[InvalidInput]) -> t.Iterator[Network]:
    for text in dict.fromkeys(texts):
        try:
            if "/" not in text and option != "exclude":
                raise ValueError(f"{text!r} has no prefix length")
            if "%" in text:
                raise ValueError("a network with a zone is one of a single link")
            yield ipaddress.ip_network(text)
        except ValueError as error:
            remedy = "Write a network without host bits, as 10.244.0.0/16"
            problems.append(InvalidInput(f'{option}: "{text}" cannot be used: {error}', remedy=remedy))


def _uncovered(network: Network) -> InvalidInput:
    return InvalidInput(
        f"masquerade: {network} is not within pools, so packets between its pods would be masqueraded, too",
        remedy="List in pools the ranges of all pods",
    )


def wanted(nat: Nat, guarding: guard.Guard | None = None) -> Table:
    """Return the table of NAT and guard, empty where there is neither. Networks are as the user gave them."""
    parts = [part for part in (_nat(nat), guarding and guard.wanted(guarding, nat.pools)) if part]
    found: dict[str, t.Any] = {f"table {NFT_TABLE}": {}} if parts else {}
    for kind in ("set", "chain", "rule"):
        for part in parts:
            found.update((title, data) for title, data in part.definitions.items() if title.startswith(f"{kind} "))
    return Table(found, {name: elements for part in parts for name, elements in part.members.items()})


def _nat(nat: Nat) -> Table | None:
    """Return the part of our table that NAT needs; None where nothing is masqueraded."""
    if not nat.masquerade:
        return None
    definitions: dict[str, t.Any] = {}
    members: dict[str, list[Element]] = {}
    # Masqueraded, packets of the tunnels' protocols would give a pod a connection of the node's own.
    rules = {
        "rule spare IPIP": rule(_CHAIN, ipip(), verdict("accept")),
        "rule spare VXLAN": rule(_CHAIN, udp_to(VXLAN_PORT), verdict("accept")),
    }
    for version in sorted({network.version for network in nat.masquerade}):
        given = {option: [n for n in getattr(nat, option) if n.version == version] for option in _WORDS}
        sets = {option: f"{option}{version}" for option in _WORDS if given[option]}
        for option, name in sets.items():
            definitions[f"set {name}"] = {"type": FAMILIES[version][1], "flags": ["interval"]}
            members[name] = [from_network(network) for network in given[option]]
        rules[f"rule pods IPv{version}"] = _masquerade(_leaving_pools(version, sets))
    rules.update((f"rule tunnel {name}", _masquerade(_entering_tunnel(name))) for name in nat.tunnels)
    return Table({**definitions, f"chain {_CHAIN}": _BASE_CHAIN, **rules}, members)


def _masquerade(matches: list[Json]) -> Json:
    return rule(_CHAIN, *matches, {"masquerade": {"flags": ["fully-random"]}})


def _leaving_pools(version: int, sets: t.Mapping[str, str]) -> list[Json]:
    """Match packets from pods whose pool masquerades to what is no pod: `ip saddr @masquerade4 ip daddr != @pools4`."""
    source, destination = (address(version, field) for field in ("saddr", "daddr"))
    spared = [match(destination, f"@{sets[option]}", "!=") for option in ("pools", "exclude") if option in sets]
    return [match(source, f"@{sets['masquerade']}"), *spared]


def _entering_tunnel(device: str) -> list[Json]:
    """Match packets of the host itself that enter a tunnel with an address of another device.

    The answer would come back beside the tunnel and be dropped by the reverse path filter. In nft's words:
    `oifname DEVICE fib saddr . oif type != local fib saddr type local`.
    """
    return [
        match(meta("oifname"), device),
        match(fib("type", "oif", "saddr"), "local", "!="),
        match(fib("type", "saddr"), "local"),
    ]


def plan(there: Table, needed: Table) -> list[Change]:
    """Return the changes that turn the content of a table into another; networks are named as the user gave them."""
    before, after = dict(there.definitions), dict(needed.definitions)
    for name, word in SETS.items():
        given = [network for element in needed.members.get(name, []) for network in element.networks]
        found = there.members.get(name, [])
        strange = [json.dumps(element.spelling, sort_keys=True) for element in found if not element.networks]
        present = _as_given(networks_of(found), given) if word != "node" else [n for e in found for n in e.networks]
        before.update((f"{word} {_shown(word, member)}", {}) for member in [*present, *strange])
        after.update((f"{word} {_shown(word, network)}", {}) for network in given)
    return [
        change for kind in ("nat", "guard") for change in compare(kind, *(_of(kind, side) for side in (before, after)))
    ]


def _shown(word: str, member: t.Any) -> str:
    return str(member).partition("/")[0] if word == "node" else str(member)


def _of(kind: str, definitions: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what is of NAT, or of the guard."""
    guards = {title for title, data in definitions.items() if _is_of_guard(title, data)}
    return {title: data for title, data in definitions.items() if (title in guards) == (kind == "guard")}


def _is_of_guard(title: str, data: t.Any) -> bool:
    kind, __, name = title.partition(" ")
    return kind == "node" or (data.get("chain") if kind == "rule" else name) in _OF_GUARD


def _as_given(networks: list[Network], given: list[Network]) -> list[Network]:
    """Return joined networks in the words of the given ones, where these cover them."""
    cover = Cover(given)
    covered = Cover(network for network in networks if network in cover)
    return [network for network in networks if network not in cover] + [n for n in given if n in covered]


def ensure(nat: Nat, guarding: guard.Guard | None = None, *, check_mode: bool) -> Outcome:
    """Bring our table in line, in one transaction; raises KernelError.

    Only what differs is touched, so that each packet meets the old rules or the new ones. Where the table is there, but
    defined otherwise (see commands() in nat_table), it is made anew; a connection that begins at that very moment may
    keep the address of its pod.
    """
    needed = wanted(nat, guarding)
    there = placed(read(SETS), needed)
    changes = plan(there, needed)
    if changes and not check_mode:
        write(there, needed)
    return Outcome(changes)
