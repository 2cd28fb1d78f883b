# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP, IP, IPIP and VXLAN as bytes."""

from __future__ import annotations

import socket
import struct

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.verify import icmp


def ipv4(protocol: int, payload: bytes, source: str = "10.0.0.1", target: str = "10.0.0.2") -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + addresses + payload


def vxlan(frame: bytes, port: int = 4789) -> bytes:
    return struct.pack("!HHHH", 40000, port, 16 + len(frame), 0) + struct.pack("!II", 0x08000000, 4096 << 8) + frame


INNER = ipv4(1, icmp.request(4, 1, 2, b"hello"), "10.244.0.5", "10.244.1.5")
FRAME = bytes(12) + b"\x08\x00" + INNER


def test_checksum_of_rfc_1071() -> None:
    """The example of section 3: the words 0001 f203 f4f5 f6f7 add up to ddf2."""
    assert icmp.checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@given(st.binary(min_size=2, max_size=64).filter(lambda data: len(data) % 2 == 0))
@example(b"\xff\xff\xff\xff\x00\x01")  # the carry of the sum carries once more
def test_data_with_its_checksum_adds_up_to_nothing(data: bytes) -> None:
    assert icmp.checksum(data + struct.pack("!H", icmp.checksum(data))) == 0


def test_a_request_reads_back_and_is_sealed() -> None:
    packet = icmp.request(4, 0x1234, 7, b"payload")
    assert icmp.checksum(packet) == 0
    assert icmp.parse_echo(packet) == icmp.Echo(8, 0x1234, 7, b"payload")


PACKETS = {
    "direct": (INNER, "None"),
    "IPIP": (ipv4(4, INNER, "192.0.2.11", "192.0.2.12"), "IPIP"),
    "VXLAN": (ipv4(17, vxlan(FRAME), "192.0.2.11", "192.0.2.12"), "VXLAN"),
}


@pytest.mark.parametrize(("packet", "kind"), PACKETS.values(), ids=PACKETS)
def test_unwrap(packet: bytes, kind: str) -> None:
    found = icmp.unwrap(packet)
    assert found is not None
    assert found[0] == kind
    assert (found[1].source, found[1].target, found[1].protocol) == ("10.244.0.5", "10.244.1.5", 1)


def test_udp_to_another_port_is_not_vxlan() -> None:
    found = icmp.unwrap(ipv4(17, vxlan(FRAME, 4790), "192.0.2.11", "192.0.2.12"))
    assert found is not None
    assert (found[0], found[1].target) == ("None", "192.0.2.12")


def test_vxlan_over_and_with_ipv6() -> None:
    inner = struct.pack("!IHBB", 6 << 28, 8, 58, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02" + bytes(8)
    udp = vxlan(bytes(12) + b"\x86\xdd" + inner)
    outer = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + bytes(15) + b"\x0b" + bytes(15) + b"\x0c" + udp
    found = icmp.unwrap(outer)
    assert found is not None
    assert (found[0], found[1].source, found[1].target) == ("VXLAN", "::1", "::2")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x45", b"\x60", b"\x4f", ipv4(4, b""), ipv4(17, vxlan(b""))]))
def test_any_bytes_are_survived(data: bytes, start: bytes) -> None:
    icmp.parse_echo(start + data)
    icmp.parse_ip(start + data)
    icmp.unwrap(start + data)


@pytest.mark.parametrize("length", range(len(PACKETS["VXLAN"][0])))
def test_a_packet_cut_short_is_survived(length: int) -> None:
    icmp.unwrap(PACKETS["VXLAN"][0][:length])
