# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP echo and the packets around it, as bytes (RFC 792, RFC 4443, RFC 2003 for IPIP, RFC 7348 for VXLAN)."""

from __future__ import annotations

import ipaddress
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT

ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_ETHERTYPES = {0x0800: 4, 0x86DD: 6}


class Echo(t.NamedTuple):
    """An echo request or reply: the ICMP type, identifier, sequence number and payload."""

    type: int
    identifier: int
    sequence: int
    payload: bytes


class Packet(t.NamedTuple):
    """An IP packet: version, addresses as text, protocol number and payload."""

    version: int
    source: str
    target: str
    protocol: int
    payload: bytes


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(version: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an echo request; the kernel fills in the checksum of ICMPv6."""
    kind = ECHO_REQUEST[version]
    code = checksum(_HEADER.pack(kind, 0, 0, identifier, sequence) + payload) if version == 4 else 0
    return _HEADER.pack(kind, 0, code, identifier, sequence) + payload


def parse_echo(data: bytes) -> Echo | None:
    """Return the echo message in an ICMP packet, or None if it is too short."""
    if len(data) < _HEADER.size:
        return None
    kind, __, __, identifier, sequence = _HEADER.unpack_from(data)
    return Echo(kind, identifier, sequence, data[_HEADER.size :])


def parse_ip(data: bytes) -> Packet | None:
    """Return the IPv4 or IPv6 packet in some bytes, or None if they are none; extension headers are not followed."""
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        length = (data[0] & 15) * 4
        source, target = ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20])
        return Packet(4, str(source), str(target), data[9], data[length:])
    if data[0] >> 4 == 6 and len(data) >= 40:
        source6, target6 = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
        return Packet(6, str(source6), str(target6), data[6], data[40:])
    return None


def unwrap(data: bytes) -> tuple[str, Packet] | None:
    """Return how an IP packet on the underlay carries pod traffic ("None", "IPIP", "VXLAN") and the inner packet."""
    outer = parse_ip(data)
    if outer is None:
        return None
    if outer.protocol == 4:
        inner = parse_ip(outer.payload)
        return ("IPIP", inner) if inner else None
    if outer.protocol == 17 and len(outer.payload) > 30:
        (port,) = struct.unpack_from("!H", outer.payload, 2)
        frame = outer.payload[16:]  # after UDP and VXLAN headers
        if port == VXLAN_PORT and struct.unpack_from("!H", frame, 12)[0] in _ETHERTYPES:
            inner = parse_ip(frame[14:])
            return ("VXLAN", inner) if inner else None
    return ("None", outer)
