# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as users list them, by hand or in a file: what they become, and what is refused in which words."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import (
    FIELDS,
    Wanted,
    from_file,
    parse,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import decode, describe

V4, V6 = socket.AF_INET, socket.AF_INET6
MAIN4, MAIN6 = (V4, 254), (V6, 254)


def parsed(*entries: t.Any) -> Wanted:
    """Return what entries become, on a host of which nothing is known."""
    return parse(list(entries), Devices(unborn=True))


def shown(*entries: t.Any) -> list[str]:
    """Return what entries become, as `ip route` shows it."""
    devices = Devices(unborn=True)
    return [describe(decode(body), devices.name) for body in parse(list(entries), devices).bodies]


def block(**options: t.Any) -> dict[str, t.Any]:
    return {"destination": "10.0.0.0/26", **options}


def block6(**options: t.Any) -> dict[str, t.Any]:
    return {"destination": "2001:db8::/64", **options}


# By name: entries, and the routes that they become.
VALID: dict[str, tuple[list[t.Any], list[str]]] = {
    "nothing": ([], []),
    "no destination": ([{"destinations": [], "device": "eth7"}], []),
    "gateway": ([block(gateway="192.0.2.1")], ["10.0.0.0/26 via 192.0.2.1"]),
    "device": ([block(device="eth7")], ["10.0.0.0/26 dev eth7"]),
    "onlink": (
        [block(gateway="192.0.2.1", device="eth7", onlink=True)],
        ["10.0.0.0/26 via 192.0.2.1 dev eth7 onlink"],
    ),
    "blackhole": ([block(type="blackhole")], ["10.0.0.0/26 blackhole"]),
    "unreachable, with an MTU that means nothing": ([block(type="unreachable", mtu=1400)], ["10.0.0.0/26 unreachable"]),
    "unset options": ([block(type="blackhole", **dict.fromkeys(set(FIELDS) - {"type"}))], ["10.0.0.0/26 blackhole"]),
    "all options": (
        [block(gateway="192.0.2.1", source="192.0.2.9", metric=7, mtu=1400, table=300)],
        ["10.0.0.0/26 table 300 metric 7 via 192.0.2.1 src 192.0.2.9 mtu 1400"],
    ),
    "largest numbers": (
        [block(device="eth7", metric=2**32 - 1, mtu=65535, table=2**32 - 1)],
        ["10.0.0.0/26 table 4294967295 metric 4294967295 dev eth7 mtu 65535"],
    ),
    "scope link": ([block(device="eth7", scope="link")], ["10.0.0.0/26 dev eth7 scope link"]),
    "scope link beside a gateway": ([block(gateway="192.0.2.1", scope="link")], ["10.0.0.0/26 via 192.0.2.1"]),
    "scope link of IPv6": ([block6(device="eth7", scope="link")], ["2001:db8::/64 dev eth7"]),
    "several ways": (
        [block(next_hops=[{"gateway": "192.0.2.2", "weight": 3}, {"gateway": "192.0.2.1", "device": "eth7"}])],
        ["10.0.0.0/26 nexthop via 192.0.2.1 dev eth7 weight 1 nexthop via 192.0.2.2 weight 3"],
    ),
    "one way of a list": ([block(next_hops=[{"gateway": "192.0.2.2"}])], ["10.0.0.0/26 via 192.0.2.2"]),
    "default route": ([{"destination": "0.0.0.0/0", "gateway": "192.0.2.1"}], ["0.0.0.0/0 via 192.0.2.1"]),
    "address alone": ([{"destination": "192.0.2.7", "device": "eth7"}], ["192.0.2.7/32 dev eth7"]),
    "address alone and with its length": (
        [{"destinations": ["192.0.2.7", "192.0.2.8/32", "192.0.2.9"], "type": "blackhole"}],
        ["192.0.2.7/32 blackhole", "192.0.2.9/32 blackhole", "192.0.2.8/32 blackhole"],
    ),
    "IPv6 in another spelling": (
        [{"destination": "2001:DB8:0:0::/64", "gateway": "FE80::1", "device": "eth7"}],
        ["2001:db8::/64 via fe80::1 dev eth7"],
    ),
    "IPv6 metric that is the default": ([block6(type="blackhole", metric=1024)], ["2001:db8::/64 blackhole"]),
    "IPv6 metric of 0, which the kernel takes as the default": (
        [block6(type="blackhole", metric=0)],
        ["2001:db8::/64 blackhole"],
    ),
    "both versions at once": (
        [{"destinations": ["10.0.0.0/26", "2001:db8::/64"], "type": "blackhole"}],
        ["10.0.0.0/26 blackhole", "2001:db8::/64 blackhole"],
    ),
    "the same twice": ([block(type="blackhole"), block(type="blackhole")], ["10.0.0.0/26 blackhole"]),
    "two metrics": (
        [block(type="blackhole"), block(type="unreachable", metric=1)],
        ["10.0.0.0/26 blackhole", "10.0.0.0/26 metric 1 unreachable"],
    ),
    "two tables": (
        [block(type="blackhole"), block(type="unreachable", table=1)],
        ["10.0.0.0/26 blackhole", "10.0.0.0/26 table 1 unreachable"],
    ),
}


@pytest.mark.parametrize(("entries", "expected"), VALID.values(), ids=VALID)
def test_entries_become_routes(entries: list[t.Any], expected: list[str]) -> None:
    assert shown(*entries) == expected


def test_tables_are_those_that_are_written_to() -> None:
    assert parsed().tables == set()
    many = parsed(block(type="blackhole"), block6(type="blackhole"), block(type="unreachable", table=7))
    assert many.tables == {MAIN4, MAIN6, (V4, 7)}


OPTIONS = "Options are " + ", ".join(FIELDS)
# By name: what is listed, and the message.
INVALID: dict[str, tuple[t.Any, str]] = {
    "no list": ({}, "routes: expected a list, got dict. List the routes"),
    "nothing at all": (None, "routes: expected a list, got nothing. List the routes"),
    "text": ("10.0.0.0/26", "routes: expected a list, got str. List the routes"),
    "no mapping": ([block(type="blackhole"), 7], "routes: number 2 is int, not a mapping. See the documentation"),
    "null": ([None], "routes: number 1 is nothing, not a mapping. See the documentation"),
    "neither": ([{}], "routes: number 1 needs either destination or destinations. Give one of the two"),
    "both": (
        [block(destinations=[])],
        "routes: number 1 needs either destination or destinations. Give one of the two",
    ),
    "number as destination": (
        [{"destination": 10}],
        "routes: number 1: destinations are not all text. Write them as 10.0.0.0/26",
    ),
    "text as destinations": (
        [{"destinations": "10.0.0.0/26"}],
        "routes: number 1: destinations are not all text. Write them as 10.0.0.0/26",
    ),
    "a list among destinations": (
        [{"destinations": ["10.0.0.0/26", ["10.0.0.0/26"]]}],
        "routes: number 1: destinations are not all text. Write them as 10.0.0.0/26",
    ),
    "host bits": (
        [{"destination": "10.0.0.1/26", "type": "blackhole"}],
        'route: destination "10.0.0.1/26" is not a network: it has host bits set. Write it as 10.0.0.0/26',
    ),
    "host bits of one among many": (
        [{"destinations": ["10.0.0.0/26", "10.0.0.65/26", "10.0.0.128/26"], "type": "blackhole"}],
        'route: destination "10.0.0.65/26" is not a network: it has host bits set. Write it as 10.0.0.0/26',
    ),
    "a length that is too long": (
        [{"destination": "10.0.0.0/33", "type": "blackhole"}],
        'route: destination "10.0.0.0/33" is not a network: "33" is not a prefix length from 0 to 32. '
        "Write it as 10.0.0.0/26",
    ),
    "a length that is a word": (
        [{"destination": "10.0.0.1/none", "type": "blackhole"}],
        'route: destination "10.0.0.1/none" is not a network: "none" is not a prefix length from 0 to 32. '
        "Write it as 10.0.0.0/26",
    ),
    "a length of IPv6": (
        [{"destinations": ["2001:db8::/129"], "type": "blackhole"}],
        'route: destination "2001:db8::/129" is not a network: "129" is not a prefix length from 0 to 128. '
        "Write it as 10.0.0.0/26",
    ),
    "no address": (
        [{"destination": "web/26", "type": "blackhole"}],
        'route: destination "web/26" is not a network: "web" is not an address. Write it as 10.0.0.0/26',
    ),
    "unknown option": ([block(gatewy="192.0.2.1")], f"route 10.0.0.0/26: there is no option gatewy. {OPTIONS}"),
    "number as gateway": ([block(gateway=1)], "route 10.0.0.0/26: gateway is int, not str. Correct gateway"),
    "true as metric": ([block(metric=True)], "route 10.0.0.0/26: metric is bool, not int. Correct metric"),
    "fraction as metric": ([block(metric=1.0)], "route 10.0.0.0/26: metric is float, not int. Correct metric"),
    "negative metric": (
        [block(device="eth7", metric=-1)],
        "route 10.0.0.0/26: metric -1 is not between 0 and 4294967295. Correct metric",
    ),
    "MTU of 0": ([block(device="eth7", mtu=0)], "route 10.0.0.0/26: mtu 0 is not between 1 and 65535. Correct mtu"),
    "table 0": (
        [block(device="eth7", table=0)],
        "route 10.0.0.0/26: table 0 is not between 1 and 4294967295. Correct table",
    ),
    "type": (
        [block(type="local")],
        'route 10.0.0.0/26: type "local" is none of unicast, blackhole, unreachable. Correct type',
    ),
    "scope": (
        [block(device="eth7", scope="host")],
        'route 10.0.0.0/26: scope "host" is none of global, link. Correct scope',
    ),
    "no way": ([block()], "route 10.0.0.0/26: neither gateway nor device is given. Give one of them"),
    "blackhole with a way": (
        [block(type="blackhole", device="eth7")],
        "route 10.0.0.0/26: a blackhole route has no gateway and no device. Leave them out",
    ),
    "onlink without device": (
        [block(gateway="192.0.2.1", onlink=True)],
        "route 10.0.0.0/26: onlink needs a gateway and a device. Give both, or leave onlink out",
    ),
    "gateway that is none": (
        [block(gateway="node2")],
        'route 10.0.0.0/26: gateway "node2" is not an address. Correct gateway',
    ),
    "gateway of another version": (
        [block(gateway="2001:db8::1")],
        "route 10.0.0.0/26: gateway 2001:db8::1 is of another IP version. Correct gateway",
    ),
    "gateway of one version for both": (
        [{"destinations": ["10.0.0.0/26", "2001:db8::/64"], "gateway": "192.0.2.1"}],
        "route 2001:db8::/64: gateway 192.0.2.1 is of another IP version. Correct gateway",
    ),
    "source with a zone": (
        [block6(device="eth7", source="fe80::1%eth7")],
        'route 2001:db8::/64: source "fe80::1%eth7" is not an address. Correct source',
    ),
    "next_hops and gateway": (
        [block(gateway="192.0.2.1", next_hops=[{"device": "eth7"}])],
        "route 10.0.0.0/26: next_hops and gateway, device or onlink. Give them in each of next_hops",
    ),
    "text among next_hops": (
        [block(next_hops=["192.0.2.1"])],
        "route 10.0.0.0/26: one of next_hops is str, not a mapping. Correct next_hops",
    ),
    "next hop without way": (
        [block(next_hops=[{"weight": 2}])],
        "route 10.0.0.0/26: neither gateway nor device is given. Give one of them",
    ),
    "weight": (
        [block(next_hops=[{"device": "eth7", "weight": 257}])],
        "route 10.0.0.0/26: next_hops: weight 257 is not between 1 and 256. Correct weight",
    ),
    "option that a next hop has not": (
        [block(next_hops=[{"device": "eth7", "metric": 1}])],
        "route 10.0.0.0/26: next_hops: there is no option metric. Options are gateway, device, onlink, weight",
    ),
    "destination in a next hop": (
        [block(next_hops=[{"device": "eth7", "destination": "10.0.0.0/26"}])],
        "route 10.0.0.0/26: next_hops: there is no option destination. Options are gateway, device, onlink, weight",
    ),
    "unknown option without a destination": (
        [{"destinations": [], "gatewy": "192.0.2.1"}],
        f"routes: number 1: there is no option gatewy. {OPTIONS}",
    ),
    "listed twice": (
        [block(type="blackhole"), block(gateway="192.0.2.1")],
        "routes: 10.0.0.0/26 is listed twice, as blackhole and as via 192.0.2.1. "
        "List it once, or give the two different metrics",
    ),
    "listed twice, once in a group": (
        [{"destinations": ["2001:db8::/64", "2001:db8:1::/64"], "device": "eth7"}, block6(type="blackhole")],
        "routes: 2001:db8::/64 is listed twice, as dev eth7 and as blackhole. "
        "List it once, or give the two different metrics",
    ),
}


@pytest.mark.parametrize(("entries", "message"), INVALID.values(), ids=INVALID)
def test_what_cannot_be_used_is_refused_in_words(entries: t.Any, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse(entries, Devices(unborn=True))
    assert str(raised.value) == message


def test_a_device_has_to_be_there_unless_it_is_yet_to_be_made() -> None:
    with pytest.raises(PodnetError, match=r"^route 10\.0\.0\.0/26: there is no device no-such-device\. Create"):
        parse([block(device="no-such-device")], Devices())
    assert parse([block(device="lo")], Devices()) == parse([block(device="lo")], Devices(unborn=True))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/proc/no-such-file", "No such file or directory"),
        ("/", "Is a directory"),
        ("a\0b", "embedded null byte"),
        ("/\ud800", "surrogates not allowed"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        from_file(path)
    assert raised.value.message.startswith(f"read routes from {path}: ")
    assert reason in raised.value.message
