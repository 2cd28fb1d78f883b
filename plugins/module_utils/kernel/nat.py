# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing NAT as one nftables table of ours: read, compare, replace in one transaction. Other tables are not touched.

The rules are those of Calico's Felix (felix/rules/nat.go). They are written and read as nft's JSON, which
libnftables-json(5) describes, so that what is wanted and what is there are compared in one language.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import contains
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

_SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_OURS = {"family": "inet", "table": NFT_TABLE}
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


class Table(t.NamedTuple):
    """A table's content: definitions (kind and name, to nft's JSON without its place) and the networks of each set."""

    definitions: dict[str, t.Any]
    members: dict[str, list[Network]]


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
    raise_all([_uncovered(network) for network in nat.masquerade if not _within(network, _joined(nat.pools))])
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


def _joined(networks: t.Iterable[Network]) -> list[Network]:
    """Return the same addresses in as few networks as possible: nft refuses intervals that overlap."""
    found = list(networks)
    return [
        network
        for version in _FAMILIES
        for network in ipaddress.collapse_addresses(n for n in found if n.version == version)  # type: ignore[type-var]
    ]


def _within(network: Network, others: t.Iterable[Network]) -> bool:
    return any(contains(other, network) for other in others)


def wanted(nat: Nat) -> Table:
    """Return the table that NAT needs; empty where nothing is masqueraded. Networks are as the user gave them."""
    if not nat.masquerade:
        return Table({}, {})
    definitions: dict[str, t.Any] = {f"table {NFT_TABLE}": {}}
    members: dict[str, list[Network]] = {}
    rules: dict[str, t.Any] = {}
    for version in sorted({network.version for network in nat.masquerade}):
        given = {option: [n for n in getattr(nat, option) if n.version == version] for option in _WORDS}
        sets = {option: f"{option}{version}" for option in _WORDS if given[option]}
        for option, name in sets.items():
            definitions[f"set {name}"] = {"type": _FAMILIES[version][1], "flags": ["interval"]}
            members[name] = given[option]
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


def observed(listing: t.Iterable[t.Mapping[str, t.Any]]) -> Table:
    """Return the content of a table as `nft -j list table` lists it.

    Rules are named by their comments; one without a comment of its own is named by its position.
    """
    definitions: dict[str, t.Any] = {}
    members: dict[str, list[Network]] = {}
    position = 0
    for entry in listing:
        ((kind, data),) = entry.items()
        if kind == "metainfo":
            continue
        position += kind == "rule"
        definition = {key: value for key, value in _normal(data).items() if key not in ("family", "table", "handle")}
        name = str(definition.pop("comment" if kind == "rule" else "name", position))
        if kind == "rule" and f"rule {name}" in definitions:
            name = str(position)
        if kind == "set" and name in _SETS:
            networks, strange = _elements(definition.pop("elem", []))
            members[name] = _joined(networks)
            definitions.update((f"{_SETS[name]} {element}", {}) for element in strange)
        definitions[f"{kind} {name}"] = definition
    return Table(definitions, members)


def _normal(value: t.Any, key: str = "") -> t.Any:
    """Return data of nft with all flags as sorted lists: versions differ in how they show a single one."""
    if key == "flags":
        return sorted([value] if isinstance(value, str) else value)
    if isinstance(value, dict):
        return {inner: _normal(item, inner) for inner, item in value.items()}
    return [_normal(item) for item in value] if isinstance(value, list) else value


def _elements(elements: t.Iterable[t.Any]) -> tuple[list[Network], list[str]]:
    """Return the networks among a set's elements, and what else is in it, as text."""
    networks: list[Network] = []
    strange: list[str] = []
    for element in elements:
        try:
            networks += _network(element)
        except (KeyError, TypeError, ValueError):
            strange.append(json.dumps(element, sort_keys=True))
    return networks, strange


def _network(element: t.Any) -> t.Iterable[Network]:
    if isinstance(element, str):
        return [ipaddress.ip_network(element)]
    if "range" in element:
        first, last = (ipaddress.ip_address(address) for address in element["range"])
        return t.cast("t.Iterable[Network]", ipaddress.summarize_address_range(first, last))
    return [ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")]


def plan(there: Table, needed: Table) -> list[Change]:
    """Return the changes that turn the content of a table into another; networks are named as the user gave them."""
    before, after = dict(there.definitions), dict(needed.definitions)
    for name, word in _SETS.items():
        given = needed.members.get(name, [])
        before.update((f"{word} {network}", {}) for network in _as_given(there.members.get(name, []), given))
        after.update((f"{word} {network}", {}) for network in given)
    return compare("nat", before, after)


def _as_given(networks: list[Network], given: list[Network]) -> list[Network]:
    """Return joined networks in the words of the given ones, where these cover them."""
    covered = [network for network in networks if _within(network, _joined(given))]
    named = [network for network in given if _within(network, covered)]
    return [network for network in networks if network not in covered] + named


def commands(table: Table) -> list[dict[str, t.Any]]:
    """Return what makes the table anew, as commands for one transaction: the one that is there is deleted in it."""
    own = {"table": {"family": "inet", "name": NFT_TABLE}}
    made: list[dict[str, t.Any]] = [{"add": own}, {"delete": own}]  # to add a table that is there is no error
    for title, definition in table.definitions.items():
        kind, __, name = title.partition(" ")
        if kind == "table":
            made.append({"add": own})
            continue
        content = {**_OURS, "comment" if kind == "rule" else "name": name, **definition}
        if kind == "set":
            content["elem"] = [_as_element(network) for network in _joined(table.members[name])]
        made.append({"add": {kind: content}})
    return made


def _as_element(network: Network) -> t.Any:
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def ensure(nat: Nat, *, check_mode: bool) -> Outcome:
    """Bring our table in line, in one transaction: there is no moment without NAT."""
    needed = wanted(nat)
    changes = plan(read(), needed)
    if changes and not check_mode:
        _nft("replace", "-f", "-", text=json.dumps({"nftables": commands(needed)}))
    return Outcome(changes)


def read() -> Table:
    """Return what is there of our table; nothing where there is no nft, which only writing cannot do without."""
    if not shutil.which("nft", path=_SEARCHED):
        return Table({}, {})
    answer = _nft("read", "list", "table", "inet", NFT_TABLE)
    if not answer:
        return Table({}, {})
    try:
        return observed(json.loads(answer)["nftables"])
    except ValueError as error:  # nft 1.0.6 ends in the middle of a table that a process has made its own
        raise KernelError(
            f"read the nftables table inet {NFT_TABLE}: nft cannot show it as JSON",
            remedy="It is not from here: end the process that owns it, or delete it, and try again",
        ) from error


def _nft(verb: str, *arguments: str, text: str = "") -> str:
    """Return nft's answer; empty for a table that does not exist. Raises KernelError with what nft says."""
    attempt = f"{verb} the nftables table inet {NFT_TABLE}"
    program = shutil.which("nft", path=_SEARCHED)
    if not program:
        raise KernelError(f"{attempt}: there is no nft", remedy="Install it (Debian: nftables)")
    environment = {"PATH": _SEARCHED, "LC_ALL": "C"}
    answer = subprocess.run(
        [program, "-j", *arguments], input=text, capture_output=True, text=True, env=environment, check=False
    )
    if answer.returncode == 0:
        return answer.stdout
    said = answer.stderr.strip() or answer.stdout.strip()
    if verb == "read" and "No such file or directory" in said:
        return ""
    remedy = "It needs root (become: true) and a kernel with nf_tables, nft_masq and nft_fib_inet"
    raise KernelError(f"{attempt}: {said}", remedy=remedy)
