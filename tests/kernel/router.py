# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends one router advertisement (RFC 4861) on a device: python router.py DEVICE PREFIX::; /64, with lifetimes in s."""

from __future__ import annotations

import socket
import struct
import sys

ROUTER_LIFETIME, VALID, PREFERRED = 1800, 3600, 1800
ON_LINK, AUTONOMOUS = 0x80, 0x40


def main() -> None:
    """Send it to all nodes of the device; the kernel fills in the checksum (RFC 3542, 3.1)."""
    device, prefix = sys.argv[1:3]
    head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, ROUTER_LIFETIME, 0, 0)
    option = struct.pack("!BBBBIII", 3, 4, 64, ON_LINK | AUTONOMOUS, VALID, PREFERRED, 0)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as opened:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        packet = head + option + socket.inet_pton(socket.AF_INET6, prefix)
        opened.sendto(packet, ("ff02::1", 0, 0, socket.if_nametoindex(device)))


if __name__ == "__main__":
    main()
