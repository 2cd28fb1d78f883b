# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl shows of a unit, as data."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.systemd import State, parse

# What `systemctl show` prints; load, active, enabled, outdated.
SHOWN = {
    "ActiveState=active\nLoadState=loaded\nUnitFileState=enabled\nNeedDaemonReload=no\n": ("loaded", True, True, False),
    "ActiveState=activating\nLoadState=loaded\nUnitFileState=static\nNeedDaemonReload=yes\n": (
        *("loaded", True, True, True),
    ),
    "ActiveState=failed\nLoadState=loaded\nUnitFileState=disabled\nNeedDaemonReload=no\n": (
        *("loaded", False, False, False),
    ),
    "ActiveState=inactive\nLoadState=masked\nUnitFileState=masked\nNeedDaemonReload=no\n": (
        *("masked", False, False, False),
    ),
    "ActiveState=inactive\nLoadState=not-found\nUnitFileState=\nNeedDaemonReload=no\n": (
        *("not-found", False, False, False),
    ),
    "ActiveState=active\nLoadState=loaded\nUnitFileState=enabled-runtime\nNeedDaemonReload=no\n": (
        *("loaded", True, False, False),  # until the next boot
    ),
    "UnitFileState=enabled\n": ("", False, True, False),
    "UnitFileState=": ("", False, False, False),
}


@pytest.mark.parametrize(("shown", "expected"), SHOWN.items())
def test_the_state_of_a_unit(shown: str, expected: tuple[str, bool, bool, bool]) -> None:
    state = parse(shown)
    assert state == State(*expected)
    assert state.managed is (state.load != "")
