# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD in an audit: its files, what it runs, its unit, its sessions. Reads only."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon, removal, safe_apply
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import (
    MISSING,
    STALE,
    WRONG,
    Finding,
    finding,
    of_change,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change

_OF_SESSIONS = (
    "Is BIRD running on the peer, is TCP port {} open between the two, and is the peer deployed? See docs/bird.md"
)
_BY_PEER = ". The peer may have ended it by a NOTIFICATION, which BIRD forgets with its next attempt: see BIRD's log"
_LIMITED = "routes that the peer announced since then are refused"
_OF_LIMITS = (
    "Have the peer announce less. Then BIRD 2 needs `birdc configure`, and `birdc reload in SESSION` for what it"
    " refused; BIRD 3 needs `birdc reload filters in SESSION`"
)


def of_bird(
    bgp: t.Mapping[str, t.Any] | None, passwords: t.Mapping[str, t.Any], bfd: bool, service: str
) -> t.Iterator[Finding]:
    """Yield what differs between BIRD and the part "bgp" of a plan; None for a node on which BIRD has nothing to do."""
    if bgp is None:
        yield from map(_of_change, removal.remove(service, check_mode=True).changes)
        return
    outcome = safe_apply.ensure(bgp, passwords, safe_apply.Limits(), bfd=bfd, service=service, check_mode=True)
    for change in outcome.changes:
        if change.kind != "session":  # sessions are looked at as BIRD runs them
            yield _of_change(change)
    status = daemon.with_notifications(daemon.read())
    if status.version:
        yield from of_sessions(bgp["sessions"], status.sessions)


def _of_change(change: Change) -> Finding:
    return of_change(change, "service" if change.kind == "unit" else "")


def of_sessions(planned: t.Iterable[t.Mapping[str, t.Any]], running: t.Mapping[str, Protocol]) -> t.Iterator[Finding]:
    """Yield sessions that are not established, with what BIRD says, and those that nobody has planned."""
    wanted = {session["name"]: session for session in planned}
    for name, session in sorted(wanted.items()):
        found = running.get(name)
        expected = f"Established with {session['peer'] or 'the router'} {session['address']}"
        remedy = _OF_SESSIONS.format(session["port"])
        if found is None:
            yield finding(MISSING, "session", name, expected)
        elif not found.established:
            said = "; ".join(filter(None, (found.info or found.state, found.details.get("last_error"))))
            remedy += _BY_PEER if found.forgetful else ""
            heard = found.details.get("last_notification")
            said += f"; before, the peer said: {heard}" if heard else ""
            yield finding(WRONG, "session", name, expected, f"{said}, since {found.since}", remedy=remedy)
        elif found.limits_hit:
            reached = f"{', '.join(found.limits_hit)} reached; {found.routes.get('imported', 0)} imported"
            yield finding(WRONG, "session", name, "all routes taken", reached, _LIMITED, _OF_LIMITS)
    for name, found in sorted(running.items()):
        if name not in wanted:
            yield finding(STALE, "session", name, "", found.info or found.state)
