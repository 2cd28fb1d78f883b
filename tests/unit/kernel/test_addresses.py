# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses of a host may be the node's, and which of them is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.kernel import addresses


def row(address: str, device: str = "eth0", state: str = "") -> dict[str, t.Any]:
    return {"address": address, "device": device, "state": state}


# By addresses of the host, of which the last is asked for: the kind of the fault, and what is offered instead.
FAULTS: dict[str, tuple[list[dict[str, t.Any]], tuple[str, str] | None]] = {
    "plain": ([row("192.0.2.11/24")], None),
    "of full length, alone": ([row("192.0.2.11/32")], None),
    "of full length, beside others of its length": ([row("192.0.2.12/32"), row("192.0.2.11/32")], None),
    "of full length, on lo": ([row("192.0.2.1/24"), row("192.0.2.11/32", "lo")], None),
    "of full length, beside another network": ([row("198.51.100.1/24"), row("192.0.2.11/32")], None),
    "secondary": ([row("192.0.2.11/24"), row("192.0.2.12/24")], None),
    "virtual": ([row("192.0.2.11/24"), row("192.0.2.100/32")], ("virtual", "192.0.2.11/24")),
    "virtual, of IPv6": (
        [row("198.51.100.1/24"), row("2001:db8::11/64"), row("2001:db8::100/128")],
        ("virtual", "2001:db8::11/64"),
    ),
    "virtual, beside one that ends": (
        [row("2001:db8::7/64", state="temporary"), row("2001:db8::100/128")],
        ("virtual", ""),
    ),
    "temporary": (
        [row("2001:db8:1::11/64"), row("2001:db8::11/64"), row("2001:db8::7/64", state="temporary")],
        ("temporary", "2001:db8::11/64"),
    ),
    "deprecated": ([row("2001:db8::7/64", state="deprecated")], ("deprecated", "")),
    "loopback": ([row("192.0.2.11/24"), row("127.0.0.1/8", "lo")], ("loopback", "")),
    "loopback of IPv6": ([row("::1/128", "lo")], ("loopback", "")),
    "link-local": ([row("2001:db8::11/64"), row("fe80::1/64")], ("link-local", "2001:db8::11/64")),
    "link-local of IPv4": ([row("169.254.1.2/16")], None),
}


@pytest.mark.parametrize(("rows", "expected"), FAULTS.values(), ids=FAULTS)
def test_why_an_address_cannot_be_the_nodes(rows: list[dict[str, t.Any]], expected: tuple[str, str] | None) -> None:
    found = addresses.fault(rows[-1], rows)
    assert (found and (found.kind, found.instead)) == expected


HOST = [
    row("127.0.0.1/8", "lo"),
    row("192.0.2.11/24"),
    row("192.0.2.100/32"),
    row("198.51.100.7/32", "lo"),
    row("203.0.113.5/24", "eth1"),
    row("2001:db8::11/64"),
    row("2001:db8::7/64", state="temporary"),
]
PICKS: dict[str, tuple[list[str], str | None]] = {
    "nothing": ([], None),
    "what it does not have": (["node1", "", "192.0.2.99"], None),
    "the first": (["203.0.113.5", "192.0.2.11"], "203.0.113.5/24"),
    "the first that is sound": (["192.0.2.100", "203.0.113.5"], "203.0.113.5/24"),
    "beside it": (["192.0.2.100"], "192.0.2.11/24"),
    "beside it, of its version": (["2001:db8::7"], "2001:db8::11/64"),
    "on lo": (["198.51.100.7"], "198.51.100.7/32"),
    "beside a loopback is nothing": (["127.0.0.1"], "127.0.0.1/8"),
}


@pytest.mark.parametrize(("candidates", "expected"), PICKS.values(), ids=PICKS)
def test_which_address_is_the_nodes(candidates: list[str], expected: str | None) -> None:
    found = addresses.pick(HOST, candidates)
    assert (found and found["address"]) == expected


def test_an_address_of_two_devices_is_found_where_it_may_be_the_nodes() -> None:
    rows = [row("192.0.2.1/24"), row("192.0.2.11/32"), row("192.0.2.11/32", "lo")]
    assert addresses.find(rows, "192.0.2.11/24") == rows[2]
