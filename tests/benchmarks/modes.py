# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "modes": packets lost while a running cluster changes its encapsulation, and at a reboot."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import modes_reboot, modes_switch
from ansible_collections.podnet.calico.tests.benchmarks.case import Case

NONE: t.Final = "<= 0"

CASES = (
    Case(
        "every change of mode",
        {modes_switch.figure(old, new): NONE for old, new in modes_switch.pairs(modes_switch.MODES)},
        modes_switch.measure,
        runs=1,
    ),
    Case("from reboot to ping", {"modes.reboot_to_ping_s": None}, modes_reboot.measure, runs=5),
)
