# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a BIRD of ours out of service: routes out of the kernel, sessions ended, its unit stopped, our files removed."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.bird import config_files, daemon, unit
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_change import ConfigChange
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_text import Text
from ansible_collections.podnet.calico.plugins.module_utils.bird.paths import CONFIG_PATH
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render_empty
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import Plan


def remove(service: str, *, check_mode: bool) -> Outcome:
    """Have BIRD take its routes out of the kernel and end our sessions, stop it, and delete our files.

    service: BIRD's unit, as "bird". The configuration goes last, so that a run after one that was killed finds it.
    """
    bird_unit = unit.look(service)
    with only_one(check_mode):
        before, running = config_files.read(), daemon.running()
        change = ConfigChange(before.main, "", active=running is not None and bool(running.digest))
        changes = [*config_files.changes(before, config_files.Files("", "")), *change.changes()]
        empty = render_empty()
        nothing = daemon.digest(empty)
        if running is not None and running.digest not in ("", nothing):
            there = {"digest": running.digest}
            changes.append(Change("bird", "running configuration", there, {"digest": nothing}))
            if not check_mode:
                _empty(before.main, empty)
        if before.main and running is None:
            changes += _delete_left_behind(before.main, check_mode)
        stops = is_done(running, changes=bool(changes), drop_in=bool(bird_unit.drop_in))
        changes += unit.removal(bird_unit, stops=stops)
        if changes and not check_mode:
            unit.leave(bird_unit, stops=stops)
        if not check_mode:
            config_files.remove()
    ours = running is not None and bool(running.digest)
    return Outcome(changes, {"running": running is not None, "ours": ours, **change.facts()})


def is_done(running: daemon.Running | None, *, changes: bool, drop_in: bool) -> bool:
    """Tell whether BIRD has nothing left to do. drop_in: whether its unit has ours. changes: whether more of ours goes.

    One that serves somebody else stays. One that does not run was ours if its unit had our drop-in.
    """
    return drop_in if running is None else bool(running.digest) and (changes or drop_in)


def _empty(config: str, empty: str) -> None:
    """Have BIRD run nothing: first the file, so that a BIRD that is started meanwhile runs nothing either."""
    owned_file.write(CONFIG_PATH, empty, mode=0o640, group="bird", check=daemon.check_config)
    daemon.configure(CONFIG_PATH)
    _wait_withdrawn(config)


def _left_behind(netlink: Netlink, config: str) -> Plan:
    """Return the deletions of BIRD's routes that are in the kernel for the pools and blocks of a configuration."""
    return route_apply.left_behind(netlink, BIRD_PROTOCOL, Text(config).networks())


def _wait_withdrawn(config: str, seconds: float = 10) -> None:
    """Wait until BIRD has taken its routes out of the kernel, which it does in its own time."""
    deadline = time.monotonic() + seconds
    with Netlink() as netlink:
        while _left_behind(netlink, config):
            if time.monotonic() > deadline:
                raise DaemonError(f"wait {seconds:g} s for BIRD to take its routes out of the kernel: some are left")
            time.sleep(0.1)


def _delete_left_behind(config: str, check_mode: bool) -> list[Change]:
    """Delete the routes that a BIRD which does not run any more left in the kernel, as it does on purpose."""
    with Netlink() as netlink:
        changes = _left_behind(netlink, config)
        if not check_mode:
            route_apply.apply(netlink, changes)
    return list(changes)
