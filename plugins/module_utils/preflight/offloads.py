# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checksums and segments that a network card is left to make of tunnels' packets (ethtool -k), by ioctl."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_GSSET_INFO, _GSTRINGS, _GFEATURES = 0x37, 0x1B, 0x3A  # linux/ethtool.h
_FEATURES = 4  # ETH_SS_FEATURES
_NAME = 32  # ETH_GSTRING_LEN
WANTED = ("tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation", "tx-checksum-ip-generic")


def read(device: str) -> dict[str, bool]:
    """Return those features of a device that matter to tunnels, by ethtool's name; nothing where it has no say."""
    try:
        (count,) = struct.unpack_from("=I", _call(device, struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _FEATURES, 0)), 16)
        names = _call(device, struct.pack("=III", _GSTRINGS, _FEATURES, count) + bytes(count * _NAME))[12:]
        blocks = (count + 31) // 32
        bits = _call(device, struct.pack("=II", _GFEATURES, blocks) + bytes(blocks * 16))[8:]
    except (OSError, struct.error):
        return {}
    found = {}
    for place in range(count):
        name = names[place * _NAME : (place + 1) * _NAME].split(b"\0")[0].decode(errors="replace")
        if name in WANTED:
            active = struct.unpack_from("=I", bits, place // 32 * 16 + 8)[0]  # available, requested, active, fixed
            found[name] = bool(active >> place % 32 & 1)
    return found


def _call(device: str, request: bytes) -> bytes:
    data = array.array("B", request)
    address, __ = data.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, struct.pack("16sP", device.encode(), address).ljust(40, b"\0"))
    return data.tobytes()
