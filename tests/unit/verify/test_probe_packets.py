# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets of a probe as bytes, made and read back."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify import icmp
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_packets import (
    HEADERS,
    KINDS,
    SMALLEST,
    Probe,
    build,
    read,
)

SESSION = b"\0\1\2\3\4\5\6\7"
NODE, TARGET, POD = "192.0.2.11", "192.0.2.12", "10.244.0.0"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [SMALLEST, SMALLEST + 1, 1499, 1500, 9000])
@pytest.mark.parametrize("answer", [False, True])
def test_packets_have_the_size_that_was_asked_for_and_are_read_back(kind: str, size: int, answer: bool) -> None:
    probe = Probe(kind, SESSION, NODE, 7, size, answer)
    data = build(probe, TARGET, POD)
    assert len(data) == size == struct.unpack_from("!H", data, 2)[0]
    assert read(data) == probe


@pytest.mark.parametrize("kind", KINDS)
def test_packets_must_not_be_fragmented_and_have_right_header_sums(kind: str) -> None:
    data = build(Probe(kind, SESSION, NODE, 1, SMALLEST), TARGET, POD)
    assert struct.unpack_from("!H", data, 6)[0] == 0x4000
    assert icmp.checksum(data[:20]) == 0


@pytest.mark.parametrize(
    ("kind", "source", "protocol", "wrapped"),
    [
        ("plain", NODE, 17, "None"),
        ("pod", POD, 17, "None"),
        ("ipip", NODE, 4, "IPIP"),
        ("vxlan", NODE, 17, "VXLAN"),
    ],
)
def test_kinds_are_what_encapsulations_put_on_the_wire(kind: str, source: str, protocol: int, wrapped: str) -> None:
    data = build(Probe(kind, SESSION, NODE, 1, 200), TARGET, POD)
    outer = icmp.parse_ip(data)
    assert outer is not None
    assert (outer.source, outer.target, outer.protocol) == (source, TARGET, protocol)
    found = icmp.unwrap(data)
    assert found is not None
    assert found[0] == wrapped
    if wrapped != "None":
        assert (found[1].source, found[1].target) == (POD, TARGET)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_byte_is_noticed(kind: str) -> None:
    data = bytearray(build(Probe(kind, SESSION, NODE, 1, 600), TARGET, POD))
    data[HEADERS[kind] + 300] ^= 1
    found = read(bytes(data))
    assert found is not None
    assert not found.intact


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_checksum_is_noticed_as_offload_leaves_it_behind(kind: str) -> None:
    data = bytearray(build(Probe(kind, SESSION, NODE, 1, 600), TARGET, POD))
    data[HEADERS[kind] - 1] ^= 0xFF  # the last byte of the inner UDP header
    found = read(bytes(data))
    assert found is not None
    assert not found.intact


@pytest.mark.parametrize("data", [b"", b"E", bytes(20), bytes(40), b"\x45" + bytes(60), b"\x60" + bytes(60)])
def test_other_packets_are_no_probes(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_that_was_cut_off_is_no_whole_probe(kind: str) -> None:
    data = build(Probe(kind, SESSION, NODE, 1, 600), TARGET, POD)
    for length in range(0, len(data), 7):
        found = read(data[:length])
        assert found is None or not found.intact


def test_what_a_tunnel_of_the_host_unwraps_is_no_packet_of_its_own() -> None:
    sent = build(Probe("ipip", b"12345678", "192.0.2.11", 7, 500), "192.0.2.12", "10.244.0.0")
    assert read(sent[20:]) is None
