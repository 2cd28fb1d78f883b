# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets of a probe as bytes: what each encapsulation puts on the wire, made and read without any tunnel.

plain: UDP from the node's address. pod: UDP whose source is a pod's address, as without encapsulation. ipip: IP
protocol 4 around such a packet (RFC 2003). vxlan: UDP to port 4789 around a frame with such a packet (RFC 7348).
"""

from __future__ import annotations

import socket
import struct
import typing as t
import zlib

from ansible_collections.podnet.calico.plugins.module_utils.calico import VXLAN_PORT
from ansible_collections.podnet.calico.plugins.module_utils.verify import icmp

KINDS = ("plain", "pod", "ipip", "vxlan")
PORT = 34789  # UDP, to which plain and pod packets go and those within the others; unassigned (IANA)
_FIRST_SOURCE, _SOURCES = 0xC000, 0x4000  # dynamic ports (RFC 6335)
VNI = 0xFFFFFE  # a VXLAN of the cluster has another one, so the kernel drops what it sees of ours
# What every packet carries beside its payload, in bytes: IP and UDP, and what an encapsulation puts around them.
HEADERS = {"plain": 28, "pod": 28, "ipip": 48, "vxlan": 78}

_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_VXLAN = struct.Struct("!II")
_PROBE = struct.Struct("!8s8s4sIHBxI")  # magic, session, node, number, size of the whole packet, answer, checksum
_MAGIC = b"pn.probe"
LEAST = _PROBE.size
_DONT_FRAGMENT = 0x4000
_TTL = 64
_FRAME = b"\x66\x00\x00\x00\x00\x02" + b"\x66\x00\x00\x00\x00\x01" + b"\x08\x00"

SMALLEST = max(HEADERS.values()) + _PROBE.size


class Probe(t.NamedTuple):
    """A packet of a probe.

    kind: of KINDS. session: 8 bytes that all packets of a run share. node: IPv4 address of the node that sent it.
    number: of the request, the answer has the same one. size: bytes of the IP packet. answer: whether it is one.
    intact: whether all bytes are as they were sent.
    """

    kind: str
    session: bytes
    node: str
    number: int
    size: int
    answer: bool = False
    intact: bool = True


def build(probe: Probe, target: str, pod: str) -> bytes:
    """Return the IP packet, to be sent through a raw socket that is told that the header is there (IP_HDRINCL).

    target: IPv4 address of the node it goes to. pod: IPv4 address of a pod, as the source of what is not plain.
    """
    payload = datagram(probe, probe.size - HEADERS[probe.kind])
    source = probe.node if probe.kind == "plain" else pod
    # A port of its own for each, as a VXLAN has it: what two nodes send to each other are no answers for a firewall.
    ports = _FIRST_SOURCE + (2 * probe.number + probe.answer) % _SOURCES, PORT
    packet = _ip(source, target, socket.IPPROTO_UDP, _udp(source, target, ports, payload))
    if probe.kind == "ipip":
        return _ip(probe.node, target, socket.IPPROTO_IPIP, packet)
    if probe.kind == "vxlan":
        carried = _VXLAN.pack(0x08000000, VNI << 8) + _FRAME + packet
        return _ip(probe.node, target, socket.IPPROTO_UDP, _udp("", "", (ports[0], VXLAN_PORT), carried))
    return packet


def read(data: bytes) -> Probe | None:
    """Return the probe in an IP packet, None if there is none."""
    outer = icmp.parse_ip(data)
    if outer is None or outer.version != 4:
        return None
    if outer.protocol == socket.IPPROTO_IPIP:
        inner = icmp.parse_ip(outer.payload)
        return _read("ipip", inner, len(data)) if inner else None
    if outer.protocol != socket.IPPROTO_UDP or len(outer.payload) < _UDP.size:
        return None
    (port,) = struct.unpack_from("!H", outer.payload, 2)
    if port == VXLAN_PORT:
        inner = icmp.parse_ip(outer.payload[_UDP.size + _VXLAN.size + len(_FRAME) :])
        return _read("vxlan", inner, len(data)) if inner else None
    return _read("plain", outer, len(data))


def _read(kind: str, packet: icmp.Packet, size: int) -> Probe | None:
    found = read_datagram(kind, packet.payload[_UDP.size :]) if packet.protocol == socket.IPPROTO_UDP else None
    if found is None or (kind == "plain" and size == found.size - _IP.size):
        return None  # the latter is what a tunnel of this host has taken out of an IPIP packet
    if kind == "plain" and packet.source != found.node:
        found = found._replace(kind="pod")
    return found._replace(intact=found.intact and found.size == size and _sum_holds(packet))


def read_datagram(kind: str, payload: bytes) -> Probe | None:
    """Return the probe that a UDP datagram carries, None if there is none."""
    if len(payload) < _PROBE.size or not payload.startswith(_MAGIC):
        return None
    __, session, node, number, size, answer, code = _PROBE.unpack_from(payload)
    return Probe(kind, session, socket.inet_ntoa(node), number, size, bool(answer), code == _checksum(payload))


def datagram(probe: Probe, length: int) -> bytes:
    """Return what a UDP datagram of a probe carries, in bytes of a length (at least LEAST)."""
    head = (_MAGIC, probe.session, socket.inet_aton(probe.node), probe.number, probe.size, probe.answer)
    padding = bytes(range(256)) * (length // 256 + 1)
    text = _PROBE.pack(*head, 0) + padding[: length - _PROBE.size]
    return _PROBE.pack(*head, zlib.crc32(text)) + text[_PROBE.size :]


def _checksum(payload: bytes) -> int:
    return zlib.crc32(payload[: _PROBE.size - 4] + bytes(4) + payload[_PROBE.size :])


def _ip(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """Return an IPv4 packet that must not be fragmented (RFC 791)."""
    length = _IP.size + len(payload)
    ends = socket.inet_aton(source), socket.inet_aton(target)
    head = _IP.pack(0x45, 0, length, 0, _DONT_FRAGMENT, _TTL, protocol, 0, *ends)
    return head[:10] + struct.pack("!H", icmp.checksum(head)) + head[12:] + payload


def _udp(source: str, target: str, ports: tuple[int, int], payload: bytes) -> bytes:
    """Return a UDP datagram (RFC 768); without a source it has no checksum, as that of a VXLAN."""
    length = _UDP.size + len(payload)
    if not source:
        return _UDP.pack(*ports, length, 0) + payload
    code = icmp.checksum(_pseudo(source, target, length) + _UDP.pack(*ports, length, 0) + payload)
    return _UDP.pack(*ports, length, code or 0xFFFF) + payload


def _pseudo(source: str, target: str, length: int) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)


def _sum_holds(packet: icmp.Packet) -> bool:
    """Tell whether the UDP checksum is right; one of zero was not made (RFC 768)."""
    (code,) = struct.unpack_from("!H", packet.payload, 6)
    pseudo = _pseudo(packet.source, packet.target, len(packet.payload))
    return not code or icmp.checksum(pseudo + packet.payload) == 0
