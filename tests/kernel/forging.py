# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged packets out of a namespace of the test."""

from __future__ import annotations

import ctypes
import os
import socket

from ansible_collections.podnet.calico.tests.kernel.net import Namespace
from ansible_collections.podnet.calico.tests.tools import forged

LIBC = ctypes.CDLL(None, use_errno=True)


def socket_in(namespace: Namespace, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Return a socket that lives in a namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(namespace.path, os.O_RDONLY)
    try:
        assert LIBC.setns(there, 0) == 0
        return socket.socket(family, kind, protocol)
    finally:
        assert LIBC.setns(home, 0) == 0
        os.close(home)
        os.close(there)


def send(namespace: Namespace, device: str, packet: bytes) -> None:
    """Send a packet out of a device of a namespace."""
    family = socket.AF_INET6 if packet[0] >> 4 == 6 else socket.AF_INET
    with socket_in(namespace, family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        forged.send(sender, device, packet)
