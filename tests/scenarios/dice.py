# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random choices that can be made again."""

from __future__ import annotations

import os
import random


def seeded() -> random.Random:
    """Return random numbers from the seed PODNET_SEED, else from a new one; it is printed."""
    seed = os.environ.get("PODNET_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"PODNET_SEED={seed}")
    return random.Random(seed)  # noqa: S311 (nothing is kept secret)
