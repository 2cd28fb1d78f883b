# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of OpenStack's Neutron so that a mode works, and how to take it back; pure.

A pair that is added to a port is noted in a tag of ours on the port, written before the pair and deleted after it is
taken away, so that a run that dies in between can be repeated.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Need, Step

# With a range behind it; older Neutrons have no tag of more than 60 characters. A tag is part of a path, where many web
# servers refuse a slash even if it is encoded, so that the range has "_" instead.
TAG = "podnet.calico:"
# How Neutron may spell a protocol, by how we do.
_SPELT = {"ipip": "4", "17": "udp", "6": "tcp", "any": "", "0": ""}


class Port(t.NamedTuple):
    """A port. machine: whose it is. pairs: those allowed, as (range, MAC). secure: whether it has port security."""

    id: str
    machine: str
    mac: str
    addresses: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    secure: bool
    groups: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return what a person calls it."""
        return f"{self.id} ({', '.join(self.addresses)})"


class Rule(t.NamedTuple):
    """A rule for what comes in. protocol: a number or name, "" for any; ports: None for all; source: a range or ""."""

    id: str
    group: str
    protocol: str
    ports: tuple[int, int] | None
    version: int
    source: str
    source_group: str
    description: str


def allow(ports: t.Iterable[Port], pools: t.Sequence[str]) -> list[Step]:
    """Return the steps that let pods' packets through ports, as far as no pair of theirs does so already."""
    steps = []
    for port in ports:
        for pool in pools if port.secure else ():
            if not any(mac == port.mac and needs.within(pool, own) for own, mac in port.pairs):
                if tag_of(pool) not in port.tags:
                    steps.append(_tag(port, pool, add=True))
                steps.append(_pair(port, pool, add=True))
    return steps


def take_back(ports: t.Iterable[Port], kept: t.Collection[str] = ()) -> list[Step]:
    """Return the steps that take our pairs off ports, and our tags, but for those of some pools."""
    steps = []
    for port in ports:
        for pool in sorted(tag[len(TAG) :].replace("_", "/") for tag in port.tags if tag.startswith(TAG)):
            if pool not in kept:
                if (pool, port.mac) in port.pairs:
                    steps.append(_pair(port, pool, add=False))
                steps.append(_tag(port, pool, add=False))
    return steps


def tag_of(pool: str) -> str:
    """Return the tag that notes a pair of ours."""
    return TAG + pool.replace("/", "_")


def _tag(port: Port, pool: str, *, add: bool) -> Step:
    name = tag_of(pool)
    change = Change("tag", f"{port.words} {name}", None if add else name, name if add else None)
    return Step(change, "change_tags", {"port": port.id, "tag": name, "add": add})


def _pair(port: Port, pool: str, *, add: bool) -> Step:
    change = Change(
        "allowed address pair", f"{port.words} {pool}", None if add else port.mac, port.mac if add else None
    )
    return Step(change, "change_pairs", {"port": port.id, "pool": pool, "mac": port.mac, "add": add})


def spelling(protocol: object) -> str:
    """Return a protocol of Neutron's as we spell it: "4", "udp", "tcp", "" for any, all others as they are."""
    found = str(protocol or "").lower()
    return _SPELT.get(found, found)


def add_rules(group: str, rules: t.Sequence[Rule], missing: t.Iterable[Need]) -> list[Step]:
    """Return the steps that let come in what is needed, as far as no rule of the group does so already."""
    steps = []
    for need in missing:
        if not any(_covers(rule, group, need) for rule in rules):
            arguments: dict[str, t.Any] = {
                "security_group_id": group,
                "direction": "ingress",
                "ether_type": f"IPv{need.version}",
                "description": f"{needs.MARK}{need.words}{'' if need.source else ' between nodes'}",
                **({"remote_ip_prefix": need.source} if need.source else {"remote_group_id": group}),
                **({"protocol": need.protocol} if need.protocol else {}),
                **({"port_range_min": need.port, "port_range_max": need.port} if need.port is not None else {}),
            }
            change = Change("rule", f"{group} {need.words}", None, f"from {need.source or group}")
            steps.append(Step(change, "add_rule", arguments))
    return steps


def drop_rules(rules: t.Iterable[Rule], kept: t.Collection[Need] = ()) -> list[Step]:
    """Return the steps that take our rules out of their groups, but for those that are needed."""
    steps = []
    for rule in sorted(rules, key=lambda rule: (rule.group, rule.description, rule.id)):
        need = Need(rule.protocol, rule.ports[0] if rule.ports else None, rule.source)
        if rule.description.startswith(needs.MARK) and need not in kept:
            change = Change("rule", f"{rule.group} {need.words}", f"from {rule.source or rule.source_group}", None)
            steps.append(Step(change, "drop_rule", {"rule": rule.id}))
    return steps


def _covers(rule: Rule, group: str, need: Need) -> bool:
    anybody = not rule.source and not rule.source_group
    if need.source:
        source = anybody or (bool(rule.source) and needs.within(need.source, rule.source))
    else:
        source = anybody or rule.source_group == group
    ports = rule.ports is None or (need.port is not None and rule.ports[0] <= need.port <= rule.ports[1])
    return source and rule.version == need.version and rule.protocol in ("", need.protocol) and ports
