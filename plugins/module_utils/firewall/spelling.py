# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules in the languages of nft and iptables, as these print them, so that what is wanted and what is there compare."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule, text_of
from ansible_collections.podnet.calico.plugins.module_utils.ip import joined

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

COMMENT = "podnet.calico"
"""The mark of a rule of ours in a chain of somebody else."""

_FAMILY = {4: "ip", 6: "ip6"}
_SET = re.compile(r"\{ ([^}]*) \}")
# Names of protocol 4 in /etc/protocols; "ipip" is protocol 94 there, which no tunnel of Linux uses.
_IPIP = re.compile(r"(?<=-p )(?:ipencap|ipv4)\b")


def nft(rule: Rule) -> str:
    """Return a rule as `nft -s -p list` shows it."""
    family = _FAMILY[rule.version]
    words = [f"{family} saddr {_any(rule.sources)}"] if rule.sources else []
    words += [f"{family} daddr {_any(rule.destinations)}"] if rule.destinations else []
    if rule.protocol.isdigit():
        words.append(f"{family} {'protocol' if rule.version == 4 else 'nexthdr'} {rule.protocol}")
    words += [f"{rule.protocol} dport {rule.to_port}"] if rule.to_port else []
    words += [f"{rule.protocol} sport {rule.from_port}"] if rule.from_port else []
    words += ["ct state established,related"] if rule.established else []
    return " ".join([*words, "accept"])


def _any(texts: t.Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(sorted(texts))} }}"


def of_nft(line: str) -> str:
    """Return a rule that nft shows with the networks of its sets as ours are: nft joins what is adjacent."""
    return _SET.sub(lambda found: _set(found[1]), line)


def _set(inside: str) -> str:
    try:
        parts = [_networks(text.strip()) for text in inside.split(",")]
    except ValueError:  # not of addresses
        return f"{{ {inside} }}"
    return _any([text_of(network) for network in joined(network for part in parts for network in part)])


def _networks(text: str) -> list[Network]:
    first, __, last = text.partition("-")
    if not last:
        return [ipaddress.ip_network(text)]
    ends = (ipaddress.ip_address(first), ipaddress.ip_address(last))
    return list(t.cast("t.Iterable[Network]", ipaddress.summarize_address_range(*ends)))


def iptables(rule: Rule) -> list[str]:
    """Return a rule as `iptables -S` shows it after the chain's name: one for each source and destination."""
    length = {4: 32, 6: 128}[rule.version]
    sources = [f"-s {_long(text, length)}" for text in rule.sources] or [""]
    destinations = [f"-d {_long(text, length)}" for text in rule.destinations] or [""]
    words = [f"-p {rule.protocol}"] if rule.protocol else []
    words += [f"-m {rule.protocol} --sport {rule.from_port}"] if rule.from_port else []
    words += [f"-m {rule.protocol} --dport {rule.to_port}"] if rule.to_port else []
    words += ["-m conntrack --ctstate RELATED,ESTABLISHED"] if rule.established else []
    return [" ".join(filter(None, [one, two, *words, "-j ACCEPT"])) for one in sources for two in destinations]


def _long(text: str, length: int) -> str:
    return text if "/" in text else f"{text}/{length}"


def of_iptables(line: str) -> str:
    """Return a rule that iptables shows, after the chain's name, with protocols as numbers where ours are."""
    return _IPIP.sub("4", line.strip())
