# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until something is so."""

from __future__ import annotations

import time
import typing as t

PATIENCE = 120.0  # seconds: for a machine that has much else to do


def wait_for(condition: t.Callable[[], t.Any], words: str = "it", seconds: float = PATIENCE) -> None:
    """Wait until something is so; what is not in time fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{words} did not come to pass in {seconds:g} s"
        time.sleep(0.05)
