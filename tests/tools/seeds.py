# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where random tests begin: PODNET_SEED repeats what has failed."""

from __future__ import annotations

import os
import random


def seed() -> int:
    """Return the number in PODNET_SEED, or a new one; it is printed, and pytest shows it if the test fails."""
    found = int(os.environ.get("PODNET_SEED") or random.randrange(1 << 32))  # noqa: S311 (nothing is kept secret)
    print(f"PODNET_SEED={found}")
    return found
