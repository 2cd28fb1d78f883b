# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings by which a change is confirmed: what they say against it, and the change that they are for."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_trial import on_trial
from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import is_lost, is_unexpected
from ansible_collections.podnet.calico.plugins.module_utils.verify.ping import ping_all

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome

Row = t.Dict[str, t.Any]

COUNT = 10
"""Echo requests to each target."""

LIMIT = 60.0
"""Seconds that a change and its proof may take, beyond those that the network may take to carry the first packet."""

_LONGEST = 3600.0


def objections(rows: t.Iterable[Row]) -> list[str]:
    """Return in words which targets lost packets, or got them by another way than expected; rows: results of pings."""
    found = []
    for row in rows:
        pool = f", pool {row['pool']}" if row.get("pool") else ""
        target = f"{row['target']} ({row['address']}{pool})"
        if is_lost(row):
            found.append(f"{target}: {row['loss']:.0%} lost")
        elif row.get("expected") and is_unexpected(row):
            found.append(f"{target}: travelled as {row['encapsulation']}, expected was {row['expected']}")
    return found


def confirmed(change: t.Callable[[], Outcome], targets: t.Sequence[Row], *, wait: float, **options: t.Any) -> Outcome:
    """Make a change of routes on trial, and keep it if all targets answer; its result gets the pings.

    targets, options: as ping_all takes them. wait: seconds that the network may take to carry the first packet. Raises
    KernelError with what was lost, when the old routes are back. Targets that cannot be pinged at all, as from a
    namespace that does not exist, are refused before the change.
    """
    if not 0 <= wait <= _LONGEST:
        raise InvalidInput(f"confirm.wait {wait} is not between 0 and {_LONGEST:.0f} seconds", remedy="Correct it")
    nothing = [{**target, "count": 0, "wait": 0} for target in targets]
    ping_all(nothing, count=0, interval=0, timeout=0, wait=0, **options)
    places = {target.get("netns") for target in targets}  # one after the other
    with on_trial(LIMIT + wait * len(places)):
        outcome = change()
        rows = ping_all(targets, count=COUNT, interval=0.05, timeout=1, wait=wait, **options)
        found = objections(rows)
        if found:
            raise KernelError(
                f"prove the new routes: {'; '.join(found)}",
                remedy="Repair the way to those, which podnet.calico.probe looks for, and run this again",
                pings=rows,
            )
    outcome.facts["pings"] = rows
    return outcome
