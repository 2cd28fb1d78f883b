#!/usr/bin/python3
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping addresses a hundred times a second each until the standard input ends; then wait for late answers and report.

    pinger.py SIZE ADDRESS...   SIZE: bytes of a packet with its IP header, never in fragments; 0 for as short as can be

pod_pings.py sends this text to nodes, so it needs nothing but Python. All addresses are of one IP version. It prints
"ready" when every one has answered, and at the end a line of JSON: address to [packets sent, lost, most lost in a row].
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time

INTERVAL = 0.01  # seconds between two requests to an address
WARMING = 30.0  # seconds in which every address must have answered
LATE = 3.0  # seconds that the last answers get
HEADER = struct.Struct("!BBHHH")
REQUEST, REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}  # RFC 792, RFC 4443
IP_HEADER = {4: 20, 6: 40}
IP_PMTUDISC_DO = 2  # linux/in.h
DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
FIRST = 2000  # sequence numbers below it are of the warming up, and do not count


def request(version: int, identifier: int, sequence: int, size: int) -> bytes:
    """Return an echo request; its number is whole in the data. The kernel fills in the checksum of IPv6."""
    data = struct.pack("!I", sequence).ljust(max(4, size - IP_HEADER[version] - HEADER.size) // 2 * 2, b"\0")
    low = sequence & 0xFFFF
    words = struct.unpack(f"!{4 + len(data) // 2}H", HEADER.pack(REQUEST[version], 0, 0, identifier, low) + data)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return HEADER.pack(REQUEST[version], 0, ~(total + (total >> 16)) & 0xFFFF, identifier, low) + data


class Pinger:
    """Sends to all addresses and remembers which numbers have been answered."""

    def __init__(self, addresses: list[str], size: int) -> None:
        self.answered: dict[str, set[int]] = {address: set() for address in addresses}
        self._version = 6 if ":" in addresses[0] else 4
        self._size, self._identifier = size, os.getpid() & 0xFFFF
        families = {4: (socket.AF_INET, socket.IPPROTO_ICMP), 6: (socket.AF_INET6, socket.IPPROTO_ICMPV6)}
        family, protocol = families[self._version]
        self._socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if size:
            self._socket.setsockopt(*DISCOVER[self._version], IP_PMTUDISC_DO)
        self._socket.setblocking(False)

    def send(self, sequence: int) -> None:
        """Send one request to each address; what the kernel refuses is lost, too."""
        for address in self.answered:
            try:
                self._socket.sendto(request(self._version, self._identifier, sequence, self._size), (address, 0))
            except OSError:
                continue

    def receive(self, seconds: float, *more: int) -> bool:
        """Take answers for some seconds; return early, and True, when another descriptor can be read."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            ready = select.select([self._socket, *more], [], [], left)[0]
            if self._socket in ready:
                self._take()
            if len(ready) > (self._socket in ready):
                return True
            if not left:
                return False

    def _take(self) -> None:
        while True:
            try:
                packet, (address, *_rest) = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:  # what a router has said about an earlier packet
                continue
            start = 4 * (packet[0] & 15) if self._version == 4 else 0
            kind, _code, _sum, identifier, _low = HEADER.unpack_from(packet, start)
            if kind == REPLY[self._version] and identifier == self._identifier and address in self.answered:
                self.answered[address].add(struct.unpack_from("!I", packet, start + HEADER.size)[0])


def longest(missing: list[int]) -> int:
    """Return how many numbers follow each other at most in an ascending list."""
    best = run = 0
    for index, number in enumerate(missing):
        run = run + 1 if index and number == missing[index - 1] + 1 else 1
        best = max(best, run)
    return best


def main(size: int, addresses: list[str]) -> int:
    """Ping, and print what came of it."""
    pinger, number, started = Pinger(addresses, size), 0, time.monotonic()
    while not all(pinger.answered.values()):
        if time.monotonic() > started + WARMING or number == FIRST:
            print(f"no answer from {[address for address, seen in pinger.answered.items() if not seen]}", flush=True)
            return 1
        pinger.send(number)
        pinger.receive(0.05)
        number += 1
    print("ready", flush=True)
    started, sent = time.monotonic(), 0
    while not pinger.receive(max(0.0, started + sent * INTERVAL - time.monotonic()), sys.stdin.fileno()):
        pinger.send(FIRST + sent)
        sent += 1
    pinger.receive(LATE)
    found = {}
    for address, seen in pinger.answered.items():
        missing = [FIRST + index for index in range(sent) if FIRST + index not in seen]
        found[address] = [sent, len(missing), longest(missing)]
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
