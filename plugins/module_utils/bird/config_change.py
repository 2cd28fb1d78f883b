# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new configuration does to a BIRD that runs another one: sessions that reset, prefixes that are withdrawn.

Measured with BIRD 2.0.12: a session is reset if any of its options but those of _SOFT changes, or the router ID.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.config_text import Options, Text
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

# What BIRD changes without a reset.
_SOFT = re.compile(
    r"(ipv[46] )?(import|export|import limit|export limit|receive limit|import keep filtered|description|debug|bfd"
    r"|next hop|gateway|preference)"
)
_NEIGHBOR = re.compile(r"(?P<address>\S+)(?: port (?P<port>\d+))? as (?P<remote_as>\d+)")
NAMED = 20
"""How many sessions or prefixes an error names."""


class ConfigChange:
    """The difference between two configurations, with the names of constants whose passwords differ.

    known: whether BIRD really runs the first one; otherwise all sessions that stay may be reset.
    active: whether BIRD runs and does not run the second one yet; otherwise no session is reset.
    """

    def __init__(
        self, before: str, after: str, renewed: t.Collection[str] = (), *, known: bool = True, active: bool = True
    ) -> None:
        self.before, self.after = Text(before), Text(after)
        self._renewed, self._known, self._active = set(renewed), known, active
        old, new = self.before.sessions, self.after.sessions
        self.added = sorted(set(new) - set(old))
        self.removed = sorted(set(old) - set(new))
        self.reset = sorted(name for name in set(old) & set(new) if self._resets(old[name], new[name]))
        self.kept = sorted(set(old) & set(new) - set(self.reset))
        announced = self.before.announced(), self.after.announced()
        self.withdrawn = sorted(announced[0] - announced[1])
        self.announced = sorted(announced[1] - announced[0])

    def _resets(self, old: Options, new: Options) -> bool:
        if not self._active:
            return False
        hard = [{name: value for name, value in one.items() if not _SOFT.fullmatch(name)} for one in (old, new)]
        other = self.before.router_id != self.after.router_id
        return hard[0] != hard[1] or new.get("password") in self._renewed or other or not self._known

    def changes(self) -> list[Change]:
        """Return one change per session that is created, deleted or has other options, with the effect."""
        old, new = self.before.sessions, self.after.sessions
        found = []
        for name in sorted({*old, *new}):
            renewed = name in new and new[name].get("password") in self._renewed
            if old.get(name) == new.get(name) and not renewed and name not in self.reset:
                continue
            before = _shown(old[name]) if name in old else None
            after = {**_shown(new[name]), "resets": name in self.reset} if name in new else None
            if after and renewed and before:
                after.update({"password": "changed"})
            found.append(Change("session", name, before, after))
        return found

    def facts(self) -> dict[str, t.Any]:
        """Return the effect as data, for a module's result."""
        return {
            "sessions_added": self.added,
            "sessions_removed": self.removed,
            "sessions_reset": self.reset,
            "prefixes_announced": self.announced,
            "prefixes_withdrawn": self.withdrawn,
        }

    def refuse(self, max_sessions: int | None, max_prefixes: int | None) -> None:
        """Raise Conflict if more sessions are reset, or prefixes withdrawn, than the limits allow."""
        for what, names, limit, option in (
            ("reset BGP sessions", self.reset, max_sessions, "max_sessions_reset"),
            ("withdraw prefixes", self.withdrawn, max_prefixes, "max_prefixes_withdrawn"),
        ):
            if limit is not None and len(names) > limit:
                raise Conflict(
                    f"configure BIRD: the change would {what}: {len(names)}, and {option} allows {limit}:"
                    f" {listed(names)}",
                    remedy=f"Look at the change with --check --diff; raise {option} if it is meant so",
                    **self.facts(),
                )

    def refused_on_purpose(self, session: str, version: int) -> str:
        """Return BIRD's condition for routes of a session that the second configuration is meant to refuse.

        These are routes of pools that go away, routes within new blocks of this node, and what a peer passes on that is
        no route reflector any more; empty if there are none.
        """
        old, new = self.before.defines, self.after.defines
        pools, own = f"POOLS{version}", f"OWN{version}"
        found = []
        if pools in old and old[pools] != new.get(pools):
            found.append(f"net ~ {old[pools]}" + (f" && !(net ~ {new[pools]})" if pools in new else ""))
        if own in new and old.get(own) != new[own]:
            found.append(f"net ~ {new[own]}")
        strict = [text.takes_own_next_hop_alone(session) for text in (self.before, self.after)]
        if strict == [False, True]:
            found.append("bgp_next_hop != from")
        return " || ".join(f"({condition})" for condition in found)


def _shown(options: Options) -> dict[str, t.Any]:
    """Return a session's options for the diff: the neighbour in parts, and of a password only that there is one."""
    shown: dict[str, t.Any] = {name: value for name, value in options.items() if name != "neighbor"}
    if "password" in options:
        shown.update({"password": "set"})
    neighbor = _NEIGHBOR.fullmatch(options.get("neighbor", ""))
    if neighbor:
        parts = neighbor.groupdict(default="179")
        shown.update(address=parts["address"], port=int(parts["port"]), remote_as=int(parts["remote_as"]))
    return shown


def listed(names: t.Sequence[str]) -> str:
    """Return names for a message, the first of them if they are many."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
