# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `birdc show protocols all` says, as data."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

_VERSION = re.compile(r"^BIRD (\S+) ready", re.MULTILINE)
# Name, kind, table, state, since (one word, or a date and a time), and for BGP "Established" or what is in the way.
_HEAD = re.compile(r"^(\S+) +(\S+) +(\S+) +(up|start|stop|flush|down) +(\S+(?: \d\d:\d\d:\d\d\S*)?) *(.*)$")
_DETAIL = re.compile(r"^ +([A-Z][^:]*): +(\S.*)$")
_COUNT = re.compile(r"(\d+) (imported|filtered|exported|preferred)")
_DETAILS = {
    "Neighbor address": "address",
    "Neighbor AS": "remote_as",
    "Local AS": "local_as",
    "Last error": "last_error",
}
# In the log: a NOTIFICATION, or that the session is up.
_SAID = re.compile(r"(?:<\w+> )?(\S+): (?:Received: (\S.*)|State changed to up)$")
_LIMIT = re.compile(r"(?:Import|Receive|Export) limit")
_HIT = re.compile(r"(\d+) \[HIT\]")
COUNTS = ("imported", "filtered", "exported", "preferred")


@dataclass
class Protocol:
    """A protocol of BIRD. For BGP, info is "Established" or what keeps the session from it.

    since: when the state began: a time, or a date if that is more than 20 hours ago. routes: counts by COUNTS;
    "filtered" is missing where BIRD does not keep what it filters. limits_hit: limits of routes by which routes are
    refused, as "import limit 10000".
    """

    name: str
    kind: str
    state: str
    since: str
    info: str
    details: dict[str, str] = field(default_factory=dict)
    routes: dict[str, int] = field(default_factory=dict)
    limits_hit: list[str] = field(default_factory=list)

    @property
    def forgetful(self) -> bool:
        """Tell whether this is a session that is down and of which BIRD knows only how its last attempt ended."""
        return not self.established and self.details.get("last_error", "").startswith("Socket: ")

    @property
    def established(self) -> bool:
        """Tell whether this is a BGP session that is up."""
        return self.info.split(" ")[0] == "Established"

    def as_session(self) -> dict[str, t.Any]:
        """Return a BGP session as data."""
        own = {"name": self.name, "kind": self.kind, "state": self.state, "since": self.since, "info": self.info}
        numbers = {name: int(self.details[name]) for name in ("remote_as", "local_as") if name in self.details}
        words = {name: self.details.get(name, "") for name in ("address", "last_error", "last_notification")}
        counts = {name: self.routes.get(name, 0) for name in COUNTS}
        return {**own, **words, **numbers, **counts, "limits_hit": self.limits_hit}


@dataclass
class Status:
    """The running BIRD: its version, empty if there is none, and its protocols by name."""

    version: str
    protocols: dict[str, Protocol]

    @property
    def sessions(self) -> dict[str, Protocol]:
        """Return the BGP sessions by name."""
        return {name: protocol for name, protocol in self.protocols.items() if protocol.kind == "BGP"}


def parse(text: str) -> Status:
    """Return what the whole output of `birdc show protocols all` says; the counts of several channels are added up."""
    version = _VERSION.search(text)
    result = Status(version.group(1) if version else "", {})
    protocol: Protocol | None = None
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            name, kind, __, state, since, info = head.groups()
            protocol = result.protocols[name] = Protocol(name, kind, state, since, info.strip())
        elif protocol is not None:
            _add(protocol, line)
    if result.version.startswith("3."):  # it goes on to show [HIT] when there is room again
        for each in result.protocols.values():
            each.limits_hit = [limit for limit in each.limits_hit if _is_full(limit, each.routes)]
    return result


def _is_full(limit: str, routes: t.Mapping[str, int]) -> bool:
    """Tell whether a limit is reached now; that of received routes counts those that are filtered as well."""
    kind, __, number = limit.partition(" limit ")
    there = {"receive": ("imported", "filtered"), "import": ("imported",), "export": ("exported",)}[kind]
    return sum(routes.get(name, 0) for name in there) >= int(number)


def notifications(log: t.Iterable[str]) -> dict[str, str]:
    """Return by session the NOTIFICATION of its peer since it was up, from BIRD's messages, oldest first."""
    found: dict[str, str] = {}
    for line in log:
        said = _SAID.match(line)
        if said and said.group(2):
            found[said.group(1)] = said.group(2)
        elif said:
            found.pop(said.group(1), None)
    return found


def _add(protocol: Protocol, line: str) -> None:
    found = _DETAIL.match(line)
    if not found:
        return
    name, value = found.groups()
    if name in _DETAILS:
        protocol.details[_DETAILS[name]] = value
    elif _LIMIT.fullmatch(name):
        protocol.limits_hit += [f"{name.lower()} {number}" for number in _HIT.findall(value)]
    elif name == "Routes":
        for number, count in _COUNT.findall(value):
            protocol.routes[count] = protocol.routes.get(count, 0) + int(number)
