# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of others that drop what nothing accepts, and what of ours is in them already."""

from __future__ import annotations

import re
import shutil
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.firewall import spelling
from ansible_collections.podnet.calico.plugins.module_utils.firewall.programs import SEARCHED, answer
from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE
from ansible_collections.podnet.calico.plugins.module_utils.preflight import files, ruleset

NFT = "nft"
OURS = {True: f"{NFT_TABLE}_", False: "PODNET-CALICO-"}  # what names of our chains begin with: nft's, iptables'
_VERSIONS = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}
_XTABLES = re.compile(r"(ip6?) filter")
_LEGACY = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}


class Place(t.NamedTuple):
    """A base chain. tool: "nft", or the iptables that its table belongs to; table: with its family, as "inet filter".

    why: what in it drops.
    """

    tool: str
    table: str
    chain: str
    hook: str
    why: str = ""

    @property
    def title(self) -> str:
        """Return what names the place in changes and messages."""
        return f"{self.tool}, table {self.table}, chain {self.chain}"

    @property
    def own_chain(self) -> str:
        """Return the name of our chain that it leads to."""
        return f"{OURS[self.tool == NFT]}{self.chain}"

    def lines(self, rules: t.Iterable[Rule]) -> list[str]:
        """Return those of the rules that belong here, in the tool's language."""
        versions = _VERSIONS[self.table.partition(" ")[0]]
        fit = [rule for rule in rules if rule.hook == self.hook and rule.version in versions]
        if self.tool == NFT:
            return [spelling.nft(rule) for rule in fit]
        return [line for rule in fit for line in spelling.iptables(rule)]


class Host(t.NamedTuple):
    """closed: the places where something is dropped. there: the rules of our chains by place; None stands for a chain
    that nothing leads to. chains: of each closed place, the chains that it leads to.
    """

    closed: list[Place]
    there: dict[Place, list[str] | None]
    chains: dict[Place, list[str]]


def read() -> Host:
    """Return the places of this host. Raises KernelError if nftables are there and cannot be read."""
    host = Host([], {}, {})
    native = ruleset.of_nft(_nft())
    tables = {table for (table, name), chain in native.items() if _XTABLES.fullmatch(table) and _is_xtables(chain)}
    texts = {table: answer(f"{_tool(table, 'nft')}-save").stdout for table in sorted(tables)}
    tables = {table for table, text in texts.items() if "*filter" in text}  # iptables knows what is in it
    for table in sorted(tables):
        chains = {key: chain for key, chain in native.items() if key[0] == table}
        _add(host, _tool(table, "nft"), chains, ruleset.of_iptables(texts[table], table.partition(" ")[0]))
    others = {key: chain for key, chain in native.items() if key[0] not in tables and _is_others(key[0])}
    _add(host, NFT, others, others)
    for family, path in _LEGACY.items():
        if "filter" in files.text("/", path).split():
            legacy = ruleset.of_iptables(answer(f"{_tool(family, 'legacy')}-save").stdout, family)
            _add(host, _tool(family, "legacy"), legacy, legacy)
    return host


def _nft() -> str:
    if not shutil.which("nft", path=SEARCHED):
        return ""
    found = answer("nft", "-s", "-p", "list", "ruleset")
    if found.returncode:
        raise KernelError(f"read nftables: {found.stderr.strip()}", remedy="It needs root (become: true)")
    return found.stdout


def _tool(table: str, backend: str) -> str:
    return f"{'ip6tables' if table.startswith('ip6') else 'iptables'}-{backend}"


def _is_xtables(chain: ruleset.Chain) -> bool:
    """Tell whether a chain is one of those that iptables makes in a table of its own."""
    return bool(chain.hook) and chain.name == chain.hook.upper()


def _is_others(table: str) -> bool:
    family, __, name = table.partition(" ")
    return family in _VERSIONS and name != NFT_TABLE


def _add(host: Host, tool: str, chains: ruleset.Chains, shown: ruleset.Chains) -> None:
    """Add the places of some chains; shown: the same with rules in the language of the tool."""
    for row in ruleset.closed(chains):
        place = Place(tool, row["table"], row["chain"], row["hook"], row["why"])
        host.closed.append(place)
        host.chains[place] = row["chains"]
    why = {(place.table, place.chain): place.why for place in host.closed if place.tool == tool}
    for (table, name), chain in shown.items():
        if not name.startswith(OURS[tool == NFT]):
            continue
        base = name[len(OURS[tool == NFT]) :]
        hook = chains[table, base].hook if (table, base) in chains else ""
        led = (table, base) in shown and any(
            re.search(rf"(jump|-j) {name}\b", rule) for rule in shown[table, base].rules
        )
        spelled = spelling.of_nft if tool == NFT else spelling.of_iptables
        place = Place(tool, table, base, hook, why.get((table, base), ""))
        host.there[place] = [spelled(rule) for rule in chain.rules] if led else None
