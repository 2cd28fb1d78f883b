# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pyroute2, for what is not done in bulk: single devices and their addresses, and what the kernel's answers mean."""

from __future__ import annotations

import contextlib
import os
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError, MissingLibrary
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import REMEDIES

PYROUTE2_ERROR: str | None = None
try:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError
except ImportError:
    PYROUTE2_ERROR = traceback.format_exc()

    class NetlinkError(Exception):  # type: ignore[no-redef]
        """Stands in for pyroute2's error so that this file imports without it; never raised."""

        code = 0


def open_netlink() -> t.Any:
    """Return pyroute2's IPRoute for the current network namespace; close it, or use it in a with statement."""
    if PYROUTE2_ERROR is not None:
        message = "talk to the kernel: Python's pyroute2 is not installed. Install it (Debian: python3-pyroute2)"
        raise MissingLibrary(message, PYROUTE2_ERROR)
    return IPRoute()


@contextlib.contextmanager
def explained(what: str) -> t.Iterator[None]:
    """Turn the kernel's refusal of what the body does into a KernelError that says what was attempted."""
    try:
        yield
    except NetlinkError as error:
        code = abs(int(error.code))
        text = os.strerror(code)
        raise KernelError(f"{what}: {text}", remedy=REMEDIES.get(code, ""), errno=code) from error
    except OSError as error:
        raise KernelError(f"{what}: {error.strerror}", remedy=REMEDIES.get(error.errno or 0, "")) from error
