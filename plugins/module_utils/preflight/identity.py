# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a host is and what time it has."""

from __future__ import annotations

import ctypes
import os
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight import files

_UNSYNCHRONISED = 0x40  # STA_UNSYNC (linux/timex.h)


class _Timex(ctypes.Structure):
    """The beginning of struct timex, and room for the rest; modes = 0 only reads (adjtimex(2))."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 400),
    ]


def identity(root: str = "/") -> dict[str, str]:
    """Return hostname and machine-id."""
    return {"hostname": os.uname().nodename, "machine_id": files.text(root, "/etc/machine-id").strip()}


def clock() -> dict[str, t.Any]:
    """Return the time in seconds since 1970, and whether something keeps it right (None if that cannot be known)."""
    asked = _Timex(modes=0)
    try:
        done = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (AttributeError, OSError):
        done = -1
    return {"now": time.time(), "synchronised": None if done < 0 else not asked.status & _UNSYNCHRONISED}
