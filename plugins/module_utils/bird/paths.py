# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where our files for BIRD are, and whether any of them is there."""

from __future__ import annotations

import glob

CONFIG_PATH = "/etc/bird/podnet-calico.conf"
_DROP_IN = "/etc/systemd/system/{}.d/podnet-calico.conf"


def drop_in(unit: str) -> str:
    """Return where our drop-in of a unit is; unit: its name with ".service"."""
    return _DROP_IN.format(unit)


def deployed() -> bool:
    """Tell whether a configuration of ours, a part or a candidate of one, or our drop-in of any unit is there."""
    return any(map(glob.glob, (CONFIG_PATH.replace(".conf", "*.conf*"), _DROP_IN.format("*.service"))))
