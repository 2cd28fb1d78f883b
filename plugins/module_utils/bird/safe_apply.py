# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a configuration in place so that BIRD goes back to the old one by itself, unless the new one is seen to be good.

Candidates beside the files; `bird -p`; limits; `configure … timeout`; a watch; `configure confirm`; files; the unit.
"""

from __future__ import annotations

import contextlib
import signal
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import config_files, daemon, unit
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_change import NAMED, ConfigChange
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_files import CANDIDATE, Files
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import render_secrets
from ansible_collections.podnet.calico.plugins.module_utils.bird.watch import SETTLE, Watch
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one

SHORTEST_TIMEOUT = 5  # seconds; a watch and some calls of birdc have to fit in


class Limits(t.NamedTuple):
    """How much a change may break; None for no limit. timeout: seconds until BIRD undoes what nobody confirms."""

    sessions_reset: int | None = None
    prefixes_withdrawn: int | None = None
    routes_lost: int = 0
    timeout: int = 20


def ensure(
    bgp: t.Mapping[str, t.Any],
    passwords: t.Mapping[str, t.Any],
    limits: Limits,
    *,
    bfd: bool,
    service: str,
    check_mode: bool,
) -> Outcome:
    """Put a node's configuration in place, have a running BIRD follow it, and start one that does not run.

    bgp: the part "bgp" of a NodePlan as data. passwords: {secret: {key: value}}. service: BIRD's unit, as "bird".
    """
    if limits.timeout < SHORTEST_TIMEOUT:
        raise InvalidInput(f"timeout: {limits.timeout} is too short", remedy=f"Use {SHORTEST_TIMEOUT} seconds or more")
    version, bird_unit = daemon.installed_version(), unit.look(service)
    unit.refuse_unusable(bird_unit, installed=version is not None)
    main = render(bgp, bfd=bfd, version=version or daemon.OLDEST, passwords=passwords)

    def make_secrets(nonce: str) -> str:
        return render_secrets(bgp, passwords, nonce)

    with only_one(check_mode):
        there = config_files.read()
        running = _without_dead_runs(there, check_mode)
        step = _Step(there, config_files.wanted(main, make_secrets, there), running, limits)
        outcome = step.take(check_mode, version is not None)
    if not check_mode:
        with _deaf_to_hangups():
            unit.start(bird_unit)
    return Outcome([*outcome.changes, *unit.changes(bird_unit)], outcome.facts)


def _without_dead_runs(there: Files, check_mode: bool) -> daemon.Running | None:
    """Remove the candidates that a dead run left, and return what BIRD runs; if it still tries them, it goes back."""
    running = daemon.running()
    left = config_files.read(CANDIDATE)
    if left == Files("", ""):
        return running
    before = _identity(there)
    tried = bool(left.main) and running == _identity(left) != before
    if check_mode:
        return before if tried else running
    if tried:
        daemon.undo()
    config_files.remove_candidates()
    return daemon.running()


def _identity(files: Files) -> daemon.Running:
    """Return what a BIRD says that runs these files."""
    return daemon.Running(daemon.digest(files.main), files.nonce)


class _Step:
    """The way from what is there to what is wanted."""

    def __init__(self, there: Files, wanted: Files, running: daemon.Running | None, limits: Limits) -> None:
        self._there, self._wanted, self._limits = there, wanted, limits
        self._running = running
        target = _identity(wanted)
        self._stale = self._running is not None and self._running != target
        self._change = self._predicted(target)

    def _predicted(self, target: daemon.Running) -> ConfigChange:
        """Return the difference to what BIRD runs; if it does not run, to what the files say."""
        there, wanted, running = self._there, self._wanted, self._running
        if running is not None and not running.digest:
            daemon.refuse_foreign(daemon.read())
            return ConfigChange("", wanted.main)
        if running == target:
            return ConfigChange(there.main, wanted.main, active=False)
        renewed = config_files.renewed(there, wanted)
        known = running is None or running == _identity(there)
        return ConfigChange(there.main, wanted.main, renewed, known=known, active=running is not None)

    def take(self, check_mode: bool, installed: bool) -> Outcome:
        """Return the changes, and make them unless in check mode."""
        changes = config_files.changes(self._there, self._wanted)
        if changes or self._stale:
            changes += self._change.changes()
        before, after = self._running.digest if self._running else "", daemon.digest(self._wanted.main)
        if self._stale and before != after:  # else passwords alone are others
            changes.append(Change("bird", "running configuration", {"digest": before}, {"digest": after}))
        if changes and check_mode and installed:
            config_files.check_only(self._wanted)
        if changes:
            self._change.refuse(self._limits.sessions_reset, self._limits.prefixes_withdrawn)
        if changes and not check_mode:
            with _deaf_to_hangups():
                self._make()
        return Outcome(changes, {"running": self._running is not None, **self._change.facts()})

    def _make(self) -> None:
        try:
            path = config_files.write_candidates(self._wanted)
            if self._stale:
                self._try(path)
            config_files.put_in_place(self._there, self._wanted)
        finally:
            config_files.remove_candidates()

    def _try(self, path: str) -> None:
        """Have BIRD take over the candidate for good, or raise DaemonError with BIRD back on the old configuration."""
        watch = Watch(self._change)
        try:
            daemon.configure(path, self._limits.timeout)
            problems = watch.problems(self._limits.routes_lost)
            if not problems:
                daemon.confirm()
                return
        except BaseException:
            self._go_back()
            raise
        back = "BIRD is back on the old configuration" if self._go_back() else "BIRD has not said that it is back"
        raise DaemonError(
            f"configure BIRD: after {SETTLE:g} s {'; '.join(problems[:NAMED])}. {back}",
            remedy="Look at the change with --check --diff, and at BIRD's log",
            problems=problems,
        )

    def _go_back(self) -> bool:
        """Have BIRD undo the change unless it has not taken it over; whatever happens here, it does so by itself."""
        with contextlib.suppress(DaemonError):
            return daemon.running() == self._running or daemon.undo()
        return False


@contextlib.contextmanager
def _deaf_to_hangups() -> t.Iterator[None]:
    """Go on when the connection to the host ends, which the change itself may be the reason for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
