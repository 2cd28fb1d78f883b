# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change from one mode to another, one after the other, with pods that ping each other all the while."""

from __future__ import annotations

import pytest
from machines import Machines

from ansible_collections.podnet.calico.tests.benchmarks.modes_switch import MODES, walk


@pytest.mark.parametrize(("number", "mode"), list(enumerate(walk(MODES)[1:], start=1)))
def test_no_change_of_mode_loses_a_packet(machines: Machines, number: int, mode: str) -> None:
    assert machines.switch(mode) == {}
    assert machines.encapsulations()
