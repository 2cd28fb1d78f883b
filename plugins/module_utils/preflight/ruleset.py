# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of iptables and nftables that packets meet first, read from the text that the tools print; pure."""

from __future__ import annotations

import re
import typing as t

LISTED = 200  # how many rules that accept are returned of a chain
_HOOKS = {"INPUT": "input", "FORWARD": "forward", "OUTPUT": "output"}


class Chain:
    """A chain: its rules as text, and of a base chain hook and policy."""

    def __init__(self, table: str, name: str, hook: str = "", policy: str = "accept") -> None:
        self.table, self.name, self.hook, self.policy = table, name, hook, policy
        self.rules: list[str] = []


Chains = t.Dict[t.Tuple[str, str], Chain]


def of_iptables(text: str, family: str = "ip") -> Chains:
    """Return the chains of iptables-save's filter table, by table and name."""
    found: Chains = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = f"{family} {line[1:].strip()}"
        elif line.startswith(":") and table.endswith(" filter"):
            name, policy = line[1:].split()[:2]
            found[table, name] = Chain(table, name, _HOOKS.get(name, ""), "drop" if policy == "DROP" else "accept")
        elif line.startswith("-A ") and table.endswith(" filter"):
            name, __, rule = line[3:].partition(" ")
            found[table, name].rules.append(rule)
    return found


def of_nft(text: str) -> Chains:
    """Return the chains of filters in `nft list ruleset`, by table and name; NAT and routing are left out."""
    found: Chains = {}
    table, chain = "", None
    for line in map(str.strip, text.splitlines()):
        head = line.split()
        if line.startswith("table ") and line.endswith("{"):
            table, chain = " ".join(head[1:3]), None
        elif line.startswith("chain ") and line.endswith("{"):
            chain = found.setdefault((table, head[1]), Chain(table, head[1]))
        elif line == "}":
            chain = None
        elif chain is not None and line.startswith("type "):
            _declare(chain, line)
        elif chain is not None and line:
            chain.rules.append(line)
    return found


def _declare(chain: Chain, line: str) -> None:
    hook = re.match(r"type filter hook (\w+)", line)
    chain.hook = hook[1] if hook and hook[1] in _HOOKS.values() else ""
    chain.policy = "drop" if "policy drop" in line else "accept"


def closed(chains: Chains) -> list[dict[str, t.Any]]:
    """Return the base chains that drop what nothing accepts, each with the rules that accept, in it and where it leads.

    why: "policy drop", or the last rule.
    """
    found = []
    for chain in chains.values():
        if not chain.hook:
            continue
        reached = list(_reached(chains, chain, set()))
        why = "policy drop" if chain.policy == "drop" else _last_drop(chains, chain, set())
        if why:
            accepts = [rule for each in reached for rule in each.rules if re.search(r"\baccept\b", rule, re.I)]
            found.append(
                {
                    "table": chain.table,
                    "chain": chain.name,
                    "hook": chain.hook,
                    "why": why,
                    "accepts": accepts[:LISTED],
                    "chains": sorted({each.name for each in reached}),
                }
            )
    return found


def _reached(chains: Chains, chain: Chain, seen: set[str]) -> t.Iterator[Chain]:
    if chain.name in seen:
        return
    seen.add(chain.name)
    yield chain
    for rule in chain.rules:
        target = _target(rule)
        if (chain.table, target) in chains:
            yield from _reached(chains, chains[chain.table, target], seen)


def _target(rule: str) -> str:
    found = re.search(r"(?:\bjump|\bgoto|-j|-g) (\S+)", rule)
    return found[1] if found else ""


def _last_drop(chains: Chains, chain: Chain, seen: set[str]) -> str:
    """Return the rule that drops whatever comes to it, in a chain or where it leads without a condition."""
    seen.add(chain.name)
    for rule in chain.rules:
        bare = re.sub(
            r"-m comment --comment (\"[^\"]*\"|\S+)|comment \"[^\"]*\"|counter( packets \d+ bytes \d+)?", "", rule
        )
        bare = " ".join(bare.split())
        if re.fullmatch(r"(-j )?(drop|reject)( with .*| --reject-with \S+)?", bare, re.I):
            return rule
        if re.fullmatch(r"(-j )?accept", bare, re.I):
            return ""
        target = _target(rule)
        if re.fullmatch(r"(jump|goto|-j|-g) \S+", bare) and (chain.table, target) in chains and target not in seen:
            found = _last_drop(chains, chains[chain.table, target], seen)
            if found:
                return found
    return ""
