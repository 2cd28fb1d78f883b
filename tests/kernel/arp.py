# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask by ARP who has an address, as a pod does that knows no neighbour: arguments device, own
address, address, seconds, and the MAC that it claims to have, if not that of its device.

Prints the MAC that answers, or "nobody" after so many seconds (RFC 826).
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path


def ask(device: str, own: str, address: str, seconds: str, claimed: str = "") -> str:
    """Send one request and return the MAC in the answer."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    opened.bind((device, 0x0806))
    opened.settimeout(float(seconds))
    mac = bytes.fromhex(Path(f"/sys/class/net/{device}/address").read_text().strip().replace(":", ""))
    said = bytes.fromhex(claimed.replace(":", "")) or mac
    request = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, said, socket.inet_aton(own), bytes(6), _raw(address))
    opened.send(b"\xff" * 6 + mac + b"\x08\x06" + request)
    try:
        while True:
            kind, sender, sender_ip = struct.unpack_from("!H6s4s", opened.recv(100), 20)
            if kind == 2 and sender_ip == _raw(address):
                return str(sender.hex(":"))
    except socket.timeout:
        return "nobody"


def _raw(address: str) -> bytes:
    return socket.inet_aton(address)


if __name__ == "__main__":
    print(ask(*sys.argv[1:]))
