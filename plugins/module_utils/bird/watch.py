# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions look like before and after a change, and what of the difference is the change's fault.

Routes that a peer withdraws in the meantime, and sessions that a peer ends, are not: they would be gone after an undo
as well. What the new configuration refuses is seen by BIRD's count of filtered routes.
"""

from __future__ import annotations

import re
import time

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_change import ConfigChange, listed
from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol, Status

SETTLE = 1.5
"""Seconds in which a change shows its effect: filters work in milliseconds, BIRD 2.0.12 may sleep for one second."""

_PAUSE = 0.2
_BY_PEER = re.compile(
    r"Socket: |Received: (Administrative (shutdown|reset)|Other configuration change|Peer de-configured)"
)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)")
_JITTER = 0.5  # seconds; less than it takes to set up a session again
_OF_PREFIX = re.compile(r"^([0-9a-f.:]+/\d+)\s", re.MULTILINE)


class Watch:
    """The sessions that have to survive a change, as they were before it."""

    def __init__(self, change: ConfigChange) -> None:
        self._change = change
        found = daemon.read().sessions
        self._before = {name: found[name] for name in change.kept if name in found and found[name].established}
        self._by_peer: set[str] = set()
        self._explained = self._count_explained()
        self._announced = self._own_exports()

    def _count_explained(self) -> dict[str, int]:
        """Return how many routes of each session the change is meant to refuse."""
        asked = {
            name: self._change.refused_on_purpose(name, _version(session)) for name, session in self._before.items()
        }
        asked = {name: condition for name, condition in asked.items() if condition}
        commands = [f"show route protocol {name} where {condition} count" for name, condition in asked.items()]
        return {name: _counted(answer) for name, answer in zip(asked, daemon.ask_all(commands))}

    def _own_exports(self) -> dict[str, set[str]]:
        """Return which of this node's own prefixes each session announces."""
        own = self._change.before.announced() & self._change.after.announced()
        names = sorted(self._before) if own else []
        answers = daemon.ask_all([f"show route export {name} where source = RTS_STATIC" for name in names])
        return {name: own & set(_OF_PREFIX.findall(answer)) for name, answer in zip(names, answers)}

    def problems(self, max_routes_lost: int) -> list[str]:
        """Watch until the change has shown its effect; return what is wrong, in words."""
        end = time.monotonic() + SETTLE if self._before else 0.0
        while True:
            status = daemon.read()
            found = self._ended(status)
            if found or time.monotonic() > end:
                break
            time.sleep(_PAUSE)
        return found or self._lost(status, max_routes_lost)

    def _ended(self, status: Status) -> list[str]:
        """Return the sessions that ended, in words, but those that a peer ended: BIRD tells why until they are back."""
        found = []
        for name, before in self._before.items():
            now = status.sessions.get(name)
            if now is not None and _BY_PEER.match(now.details.get("last_error", "")):
                self._by_peer.add(name)
            if name not in self._by_peer and (now is None or not lasts(before, now)):
                state = "gone" if now is None else f"now {now.info or now.state}, since {now.since}"
                found.append(f"session {name} was established and is {state}")
        return sorted(found)

    def _lost(self, status: Status, limit: int) -> list[str]:
        """Return the sessions whose routes are refused or no longer announced, if they are more than allowed."""
        there = {name: now for name, now in status.sessions.items() if name in self._before and now.established}
        lasting = {name: now for name, now in there.items() if lasts(self._before[name], now)}
        exports = self._own_exports()
        lost, found = 0, []
        for name, now in sorted(lasting.items()):
            refused = max(0, _refused(self._before[name], now) - self._explained.get(name, 0))
            hidden = sorted(self._announced.get(name, set()) - exports.get(name, set()))
            lost += refused + len(hidden)
            found += [f"session {name} refuses {refused} routes that it had"] if refused else []
            found += [f"session {name} does not announce {listed(hidden)}"] if hidden else []
        if lost <= limit:
            return []
        return [*found, f"max_routes_lost allows {limit} routes"]


def _version(session: Protocol) -> int:
    return 6 if ":" in session.details.get("address", "") else 4


def _counted(answer: str) -> int:
    found = re.match(r"(\d+) of", answer)
    return int(found.group(1)) if found else 0


def lasts(before: Protocol, now: Protocol) -> bool:
    """Tell whether a session is the same one; BIRD shows a date alone once it is older than 20 hours.

    BIRD works times out from two clocks, so that the same moment may be shown some milliseconds earlier or later.
    """
    if not now.established or now.since == before.since:
        return now.established
    old, new = _TIME.search(before.since), _TIME.search(now.since)
    if old is None or new is None:
        return new is None
    seconds = [
        int(hour) * 3600 + int(minute) * 60 + float(second) for hour, minute, second in (old.groups(), new.groups())
    ]
    return (seconds[1] - seconds[0] + _JITTER) % 86400 < 2 * _JITTER


def _refused(before: Protocol, now: Protocol) -> int:
    """Return how many routes less are imported, as far as they are filtered instead (if BIRD keeps what it filters)."""
    drop = before.routes.get("imported", 0) - now.routes.get("imported", 0)
    if "filtered" in before.routes and "filtered" in now.routes:
        drop = min(drop, now.routes["filtered"] - before.routes["filtered"])
    return max(0, drop)
