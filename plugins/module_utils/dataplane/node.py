# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a node's kernel and its boot get, concern by concern, in the order in which nothing is missed or lost."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.dataplane import protocol
from ansible_collections.podnet.calico.plugins.module_utils.kernel import nat, routes, sysctls, tunnels
from ansible_collections.podnet.calico.plugins.module_utils.marks import BASELINE
from ansible_collections.podnet.calico.plugins.module_utils.persist import keep

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.dataplane.steps import Work
    from ansible_collections.podnet.calico.plugins.module_utils.dataplane.wanted import Wanted

CONCERNS = ("baseline", "protocol", "sysctls", "tunnels", "routes", "nat", "persist")

Steps = t.List[t.Tuple[str, "Work"]]


class Present:
    """Brings a node in line with what its plan asks for; confirm: makes the change of routes that it gets, on trial."""

    def __init__(
        self,
        wanted: Wanted,
        *,
        check_mode: bool,
        exclusive: bool,
        offload: bool | None,
        bird: str,
        confirm: t.Callable[[Work], Outcome] | None = None,
    ) -> None:
        self._wanted = wanted
        self._check_mode = check_mode
        self._exclusive = exclusive
        self._offload = offload
        self._bird = bird
        self._confirm = confirm
        self._made_anew: list[str] = []

    def steps(self) -> Steps:
        """Return the steps: new tunnels before the routes by them, old ones after the routes by those."""
        pruning: Steps = [("tunnels", self._prune_tunnels)] if self._exclusive else []
        return [
            ("baseline", self._baseline),
            ("protocol", self._protocol),
            ("sysctls", self._sysctls),
            ("tunnels", self._tunnels),
            ("routes", self._routes_on_trial if self._confirm else self._routes),
            *pruning,
            ("nat", self._nat),
            ("persist", self._persist),
        ]

    def _baseline(self) -> Outcome:
        if os.path.exists(BASELINE):
            return Outcome()
        # Imported here since it is needed once in the life of a host.
        from ansible_collections.podnet.calico.plugins.module_utils.baseline.store import remember

        return remember(self._bird, check_mode=self._check_mode)

    def _protocol(self) -> Outcome:
        return protocol.ensure(present=True, check_mode=self._check_mode)

    def _sysctls(self) -> Outcome:
        return sysctls.ensure(self._wanted.sysctls, state="present", check_mode=self._check_mode)

    def _tunnels(self) -> Outcome:
        outcome = tunnels.ensure(
            self._wanted.tunnels,
            state="present",
            exclusive=False,
            checksum_offload=self._offload,
            check_mode=self._check_mode,
        )
        self._made_anew = tunnels.made_anew(outcome.changes)
        return Outcome(outcome.changes) if self._exclusive else outcome  # what is surplus goes below

    def _routes(self) -> Outcome:
        return routes.ensure(
            self._wanted.routes,
            state="present",
            exclusive=self._exclusive,
            check_mode=self._check_mode,
            made_anew=self._made_anew,
        )

    def _routes_on_trial(self) -> Outcome:
        return t.cast("t.Callable[[Work], Outcome]", self._confirm)(self._routes)

    def _prune_tunnels(self) -> Outcome:
        return tunnels.prune(self._wanted.tunnels, checksum_offload=self._offload, check_mode=self._check_mode)

    def _nat(self) -> Outcome:
        return nat.ensure(self._wanted.nat, self._wanted.guarding, check_mode=self._check_mode)

    def _persist(self) -> Outcome:
        return keep.ensure(*self._wanted.boot, check_mode=self._check_mode)


def absent(*, check_mode: bool) -> Steps:
    """Return the steps that take all of it away; the next boot brings nothing back from the first one on."""
    gone: dict[str, t.Any] = {"state": "present", "exclusive": True, "check_mode": check_mode}
    return [
        ("persist", lambda: keep.remove(check_mode=check_mode)),
        ("nat", lambda: nat.ensure(nat.NOTHING, check_mode=check_mode)),
        ("routes", lambda: routes.ensure([], **gone)),
        ("tunnels", lambda: tunnels.ensure([], **gone)),
        ("sysctls", lambda: sysctls.ensure({}, state="absent", check_mode=check_mode)),
        ("protocol", lambda: protocol.ensure(present=False, check_mode=check_mode)),
    ]
