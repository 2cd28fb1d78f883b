# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums of what a tunnel sends: left to the device, or made by the kernel.

Some drivers and kernels up to 5.7 damage the inner checksums of encapsulated packets, so that ping works and TCP and
UDP do not (projectcalico/calico#3145). Calico then switches the offload off on its tunnels, and so do we.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import struct

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError

_SIOCETHTOOL, _ETHTOOL_GTXCSUM, _ETHTOOL_STXCSUM = 0x8946, 0x16, 0x17
_SOUND_SINCE = (5, 8)


def default(release: str | None = None) -> bool | None:
    """Return what a kernel (uname -r; default: this one) needs: False for no offload, None if it does not matter."""
    version = re.match(r"(\d+)\.(\d+)", release or os.uname().release)
    return False if version and (int(version[1]), int(version[2])) < _SOUND_SINCE else None


def get(name: str) -> bool:
    """Tell whether a device leaves transmit checksums to be made later (ethtool -k: tx-checksumming)."""
    return bool(_call(name, _ETHTOOL_GTXCSUM, 0))


def put(name: str, on: bool) -> None:
    """Switch a device's transmit checksum offload (ethtool -K tx on|off). Raises KernelError."""
    try:
        _call(name, _ETHTOOL_STXCSUM, int(on))
    except OSError as error:
        raise KernelError(
            f"switch checksum offload of {name}: {error.strerror}", remedy="Is the device there?"
        ) from error


def _call(name: str, command: int, value: int) -> int:
    data = array.array("I", [command, value])
    address, __ = data.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, struct.pack("16sP", name.encode(), address).ljust(40, b"\0"))
    return data[1]
