# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration of ours, read back: sessions with their options, constants, and what the node announces."""

from __future__ import annotations

import ipaddress
import re
import typing as t

_COMMENT = re.compile(r"#[^\n]*")
_PREFIX = re.compile(r"[0-9a-fA-F:.]+/\d+")
_DEFINE = re.compile(r"^define (\w+) = (.*);$", re.MULTILINE)
_HIDDEN = re.compile(r"^\s*if net ~ \[(.*)\] then reject;\s*# disableBGPExport", re.MULTILINE)
# Where a statement's name ends: before a switch, a number, an address, a constant or a text.
_VALUE = re.compile(r" (?:(?:on|off|yes|no)$|[^a-z ])")
_TRUE = ("on", "yes", "")

Options = t.Dict[str, str]  # name of a statement, with that of its channel before it, to its value


class Text:
    """A configuration's text, taken apart. Empty text is a node without BIRD."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.defines = {name: value.strip() for name, value in _DEFINE.findall(text)}
        bare = _COMMENT.sub("", text)
        self._blocks = dict(_blocks(bare))
        found = re.search(r"^router id (\S+);", bare, re.MULTILINE)
        self.router_id = found.group(1) if found else ""
        self.sessions = {
            head.split()[2]: self._options(head) for head in self._blocks if head.startswith("protocol bgp ")
        }

    def _options(self, head: str) -> Options:
        """Return the options of a session, those of its template included; constants in them have their values."""
        words = head.split()
        template = self._blocks.get(f"template bgp {words[4]}", "") if len(words) == 5 else ""
        found: Options = {}
        for body in (template, self._blocks[head]):
            found.update(_statements(body))
        return {name: self._resolved(value) for name, value in found.items()}

    def _resolved(self, value: str) -> str:
        return " ".join(self.defines.get(word, word) for word in value.split(" "))

    def takes_own_next_hop_alone(self, session: str) -> bool:
        """Tell whether a session accepts only what has the peer itself as next hop, as those with plain nodes do."""
        options = self.sessions.get(session, {})
        filters = [value for name, value in options.items() if name in ("ipv4 import", "ipv6 import")]
        return any("bgp_next_hop != from" in self._blocks.get(head, "") for head in filters)

    def announced(self) -> set[str]:
        """Return the prefixes that this node itself announces: its blocks and services, unless their pool is hidden."""
        hidden = [net for group in _HIDDEN.findall(self.text) for net in map(_network, _PREFIX.findall(group))]
        found = set()
        for head, body in self._blocks.items():
            if re.match(r"protocol static podnet_(blocks|services)[46]$", head):
                found |= set(re.findall(r"\broute (\S+) blackhole;", body))
        return {prefix for prefix in found if not any(_inside(_network(prefix), net) for net in hidden)}

    def networks(self) -> list[t.Any]:
        """Return the ipaddress networks whose routes are ours: pools and own blocks of both IP versions."""
        sets = " ".join(self.defines.get(f"{name}{version}", "") for name in ("POOLS", "OWN") for version in (4, 6))
        return [_network(prefix) for prefix in sorted(set(_PREFIX.findall(sets)))]


def _network(prefix: str) -> t.Any:
    return ipaddress.ip_network(prefix, strict=False)


def _inside(one: t.Any, other: t.Any) -> bool:
    return bool(one.version == other.version and one.subnet_of(other))


def _blocks(text: str) -> t.Iterator[tuple[str, str]]:
    """Yield head and body of each block in braces that stands at the beginning of a line."""
    place = 0
    for found in re.finditer(r"^([a-z][^\n{};]*?)\s*\{", text, re.MULTILINE):
        if found.start() < place:
            continue
        place = _end(text, found.end())
        yield " ".join(found.group(1).split()), text[found.end() : place - 1]


def _end(text: str, start: int) -> int:
    """Return the place after the brace that closes a block which was opened just before start."""
    depth = 1
    for found in re.compile(r'"[^"\n]*"|[{}]').finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if not depth:
            return found.end()
    return len(text)


def _statements(body: str, channel: str = "") -> t.Iterator[tuple[str, str]]:
    """Yield name and value of each statement of a protocol; what is within a channel has the channel's name before."""
    place = 0
    for found in re.compile(r'(?:"[^"\n]*"|[^";{])+').finditer(body):
        if found.start() < place:
            continue
        words, end = " ".join(found.group().split()), found.end()
        if body[end : end + 1] == "{":
            place = _end(body, end + 1)
            if words in ("ipv4", "ipv6"):
                yield from _statements(body[end + 1 : place - 1], f"{words} ")
            elif words:
                name, value = _named(words, channel)
                yield name, f"{value} {' '.join(body[end:place].split())}"
        elif words:
            yield _named(words, channel)


def _named(words: str, channel: str) -> tuple[str, str]:
    """Split a statement into its name and value; "on" is the value of a switch that is named alone."""
    for name in ("import", "export", "neighbor", "local", "next hop", "igp table"):
        if words.startswith(f"{name} ") and not re.match(r"(import|export) (limit|keep|table)", words):
            return f"{channel}{name}", words[len(name) + 1 :]
    if words.split()[0] in ("multihop", "direct"):
        return f"{channel}reach", words
    found = _VALUE.search(words)
    name, value = (words[: found.start()], words[found.start() + 1 :]) if found else (words, "")
    return f"{channel}{name}", "on" if value in _TRUE else value
