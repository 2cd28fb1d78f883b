# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets with any source, built by hand: what a pod or a stranger of the underlay may try. Standard library only.

As a program, in the network namespace that is to send or to listen:

- ``send DEVICE PACKET…``: send packets as ``built`` describes them; without a device, by the one of the route;
- ``listen ADDRESS PORT``: print the last six letters of each UDP packet, and end after "honest".
"""

from __future__ import annotations

import socket
import struct
import sys

IPIP, UDP, ICMPV6 = 4, socket.IPPROTO_UDP, socket.IPPROTO_ICMPV6
VNI, VXLAN_PORT = 4096, 4789


def checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address: str) -> bytes:
    """Return the bytes of an address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip(source: str, target: str, protocol: int, payload: bytes, hops: int = 64) -> bytes:
    """Return a packet of either IP version."""
    ends = packed(source) + packed(target)
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + ends + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, hops, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def _summed(source: str, target: str, protocol: int, payload: bytes) -> int:
    """Return the checksum over payload and pseudo-header (RFC 768, RFC 8200)."""
    numbers = struct.pack("!II" if ":" in source else "!HH", *_order(":" in source, protocol, len(payload)))
    return checksum(packed(source) + packed(target) + numbers + payload) or 0xFFFF


def _order(is_v6: bool, protocol: int, length: int) -> tuple[int, int]:
    return (length, protocol) if is_v6 else (protocol, length)


def udp(source: str, target: str, port: int, payload: bytes) -> bytes:
    """Return a UDP packet to a port."""
    head = struct.pack("!HHHH", 4444, port, 8 + len(payload), 0)
    total = _summed(source, target, UDP, head + payload)
    return ip(source, target, UDP, head[:6] + struct.pack("!H", total) + payload)


def vxlan(source: str, target: str, mac: str, inner: bytes) -> bytes:
    """Return a VXLAN packet (RFC 7348) with a frame for a device with a MAC."""
    kind = 0x86DD if inner[0] >> 4 == 6 else 0x0800
    frame = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000000099") + struct.pack("!H", kind) + inner
    return udp(source, target, VXLAN_PORT, struct.pack("!II", 0x08000000, VNI << 8) + frame)


def router_advertisement(source: str) -> bytes:
    """Return a router advertisement to all nodes, with a lifetime of 1,800 s (RFC 4861, section 4.2)."""
    target = "ff02::1"
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    total = _summed(source, target, ICMPV6, body)
    return ip(source, target, ICMPV6, body[:2] + struct.pack("!H", total) + body[4:], hops=255)


def sending_socket(version: int) -> socket.socket:
    """Return a socket that sends packets with a header of their own."""
    return socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def send(sender: socket.socket, device: str, packet: bytes) -> None:
    """Send a packet out of a device as it is, to its next hop as the kernel knows it."""
    version = packet[0] >> 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    target = socket.inet_ntop(family, packet[24:40] if version == 6 else packet[16:20])
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.sendto(packet, (target, 0))


def built(text: str) -> bytes:
    """Return the packet of a text: udp,SOURCE,TARGET,PORT,WORD; or vxlan,SOURCE,TARGET,MAC or ipip,SOURCE,TARGET, and
    then the inner packet's text after a slash.
    """
    outer, __, inner = text.partition("/")
    kind, *words = outer.split(",")
    if kind == "udp":
        return udp(words[0], words[1], int(words[2]), words[3].encode())
    if kind == "vxlan":
        return vxlan(words[0], words[1], words[2], built(inner))
    return ip(words[0], words[1], IPIP, built(inner))


def main(verb: str, *arguments: str) -> None:
    """Run the program."""
    if verb == "send":
        device, *texts = arguments
        for text in texts:
            packet = built(text)
            with sending_socket(packet[0] >> 4) as sender:
                send(sender, device, packet)
        return
    address, port = arguments
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as box:
        box.bind((address, int(port)))
        print("listening", flush=True)
        data = b""
        while not data.endswith(b"honest"):
            data = box.recv(2048)
            print(data[-6:].decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
