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
COUNTS = ("imported", "filtered", "exported", "preferred")


@dataclass
class Protocol:
    """A protocol of BIRD. For BGP, info is "Established" or what keeps the session from it.

    since: when the state began: a time, or a date if that is more than 20 hours ago. routes: counts by COUNTS;
    "filtered" is missing where BIRD does not keep what it filters.
    """

    name: str
    kind: str
    state: str
    since: str
    info: str
    details: dict[str, str] = field(default_factory=dict)
    routes: dict[str, int] = field(default_factory=dict)

    @property
    def established(self) -> bool:
        """Tell whether this is a BGP session that is up."""
        return self.info.split(" ")[0] == "Established"

    def as_session(self) -> dict[str, t.Any]:
        """Return a BGP session as data."""
        own = {"name": self.name, "kind": self.kind, "state": self.state, "since": self.since, "info": self.info}
        numbers = {name: int(self.details[name]) for name in ("remote_as", "local_as") if name in self.details}
        words = {name: self.details.get(name, "") for name in ("address", "last_error")}
        return {**own, **words, **numbers, **{name: self.routes.get(name, 0) for name in COUNTS}}


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
    return result


def _add(protocol: Protocol, line: str) -> None:
    found = _DETAIL.match(line)
    if not found:
        return
    name, value = found.groups()
    if name in _DETAILS:
        protocol.details[_DETAILS[name]] = value
    elif name == "Routes":
        for number, count in _COUNT.findall(value):
            protocol.routes[count] = protocol.routes.get(count, 0) + int(number)
