# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's firewall lets the pod network through: which one it is, what differs, and what stays closed."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.plugins.module_utils.firewall import firewalld, places, ufw, wanted
from ansible_collections.podnet.calico.plugins.module_utils.firewall.inserted import Inserted
from ansible_collections.podnet.calico.plugins.module_utils.firewall.programs import Backend
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one

AUTO, FIREWALLD, UFW, CHAINS, NONE = "auto", "firewalld", "ufw", "chains", "none"
NOTHING = wanted.Wanted([], [], [], [])


def ensure(needed: wanted.Wanted, *, backend: str, insert: bool, check_mode: bool) -> Outcome:
    """Let through what is needed, and take what is ours out of every other place. insert: whether chains of others get
    rules where neither firewalld nor ufw runs.

    Raises Conflict where they would have to and must not, before anything is touched.
    """
    with only_one(check_mode):
        host = places.read()
        chosen = _found() if backend == AUTO else backend
        rules = wanted.rules(needed)
        open_places = _to_open(host, rules) if chosen == CHAINS else []
        if open_places and not insert:
            raise _refusal(open_places, rules)
        backends: list[Backend] = [
            firewalld.Firewalld(rules if chosen == FIREWALLD else []),
            ufw.Ufw(rules if chosen == UFW else []),
            Inserted(host, open_places, rules),
        ]
        differing = [(each, changes) for each, changes in ((each, each.changes()) for each in backends) if changes]
        for each, __ in differing if not check_mode else []:
            each.apply()
    still = [place for place in _to_open(host, rules) if place not in open_places and not _is_of(chosen, host, place)]
    changed: list[Change] = [change for __, changes in differing for change in changes]
    return Outcome(changed, _facts(NONE if chosen == CHAINS and not open_places else chosen, still))


def remove(*, check_mode: bool) -> Outcome:
    """Take out everything of ours, wherever it is."""
    return ensure(NOTHING, backend=CHAINS, insert=True, check_mode=check_mode)


def _found() -> str:
    if firewalld.running():
        return FIREWALLD
    return UFW if ufw.enabled() else CHAINS


def _to_open(host: places.Host, rules: t.Sequence[wanted.Rule]) -> list[places.Place]:
    return [place for place in host.closed if place.lines(rules)]


def _is_of(chosen: str, host: places.Host, place: places.Place) -> bool:
    """Tell whether the firewall that was chosen looks after a place."""
    if chosen == FIREWALLD:
        return place.table.endswith(" firewalld") or any(name.endswith("_direct") for name in host.chains[place])
    return chosen == UFW and any(name.startswith("ufw") for name in host.chains[place])


def _facts(backend: str, still: t.Sequence[places.Place]) -> dict[str, t.Any]:
    closed = [{"place": place.title, "why": place.why} for place in still]
    warnings = [
        f"{row['place']} still drops ({row['why']}): {backend} does not look after it, see docs/firewall.md"
        for row in closed
    ]
    return {"backend": backend, "closed": closed, **({"warnings": warnings} if warnings else {})}


def _refusal(open_places: t.Sequence[places.Place], rules: t.Sequence[wanted.Rule]) -> Conflict:
    lines = [
        f"{place.title} ({place.why}):" + "".join(f"\n  {line}" for line in place.lines(rules)) for place in open_places
    ]
    return Conflict(
        "let the pod network through: chains of others drop it, and a table of our own cannot override that. "
        "Needed at the top of\n" + "\n".join(lines) + "\n",
        remedy="Add these rules where the others are kept, or have them put there: firewall_insert, option insert",
        closed=[place.title for place in open_places],
    )
