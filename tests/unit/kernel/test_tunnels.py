# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tunnels are made, changed, removed or left, from what is there and what is wanted; in which order."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel import tunnel_entries, tunnels

Entry = t.Dict[str, t.Any]
VXLAN: Entry = {
    "kind": "vxlan",
    "mtu": 1450,
    "up": True,
    "ours": True,
    "address": "10.244.0.1/32",
    "vni": 4096,
    "port": 4789,
    "local": "192.0.2.11",
    "parent": "eth0",
    "mac": "66:00:00:00:00:01",
    "learning": False,
    "neighbours": {"10.244.1.0": "66:00:00:00:00:02"},
    "fdb": {"66:00:00:00:00:02": "192.0.2.12"},
}
IPIP: Entry = {"kind": "ipip", "mtu": 1480, "up": True, "ours": True, "address": "10.244.0.1/32"}
IDLE: Entry = {"kind": "ipip", "mtu": 1480, "up": False, "ours": False, "address": ""}  # the kernel's own tunl0


def other(**fields: t.Any) -> Entry:
    return {**VXLAN, **fields}


FOREIGN = other(ours=False)
# By name: what is there and what is wanted by name of device, exclusive, and the changes.
CASES: dict[str, tuple[dict[str, Entry], dict[str, Entry], bool, list[str]]] = {
    "nothing": ({}, {}, True, []),
    "as it should be": ({"v": VXLAN}, {"v": VXLAN}, True, []),
    "a new one": ({}, {"v": VXLAN}, False, ["create v"]),
    "another MTU": ({"v": other(mtu=1400)}, {"v": VXLAN}, False, ["replace v"]),
    "one that is down": ({"v": other(up=False)}, {"v": VXLAN}, False, ["replace v"]),
    "one without our mark is adopted": ({"v": FOREIGN}, {"v": VXLAN}, False, ["replace v"]),
    "ours that is not listed": ({"v": VXLAN, "w": other(vni=7)}, {"v": VXLAN}, False, []),
    "ours that is not listed any more": ({"v": VXLAN, "w": other(vni=7)}, {"v": VXLAN}, True, ["delete w"]),
    "the kernel's own tunl0": ({"tunl0": IDLE}, {"tunl0": IPIP}, False, ["create tunl0"]),
    "the kernel's own tunl0, unwanted": ({"tunl0": IDLE}, {}, True, []),
    "the same VNI under another name": ({"v": VXLAN}, {"w": VXLAN}, True, ["delete v", "create w"]),
    "another VNI under another name": ({"v": VXLAN}, {"w": other(vni=7)}, True, ["create w", "delete v"]),
}


def said(changes: t.Iterable[t.Any]) -> list[str]:
    return [f"{change.action} {change.name}" for change in changes]


@pytest.mark.parametrize(("actual", "wanted", "exclusive", "expected"), CASES.values(), ids=CASES)
def test_plan(actual: dict[str, Entry], wanted: dict[str, Entry], exclusive: bool, expected: list[str]) -> None:
    assert said(tunnels.plan(actual, wanted, exclusive=exclusive)) == expected


@pytest.mark.parametrize(
    ("actual", "listed", "expected"),
    [
        ({"v": VXLAN, "w": other(vni=7)}, {"v": VXLAN}, ["delete v"]),
        ({"v": VXLAN}, {"v": other(mtu=1)}, ["delete v"]),
        ({"v": FOREIGN}, {"v": VXLAN}, []),
        ({"tunl0": IDLE}, {"tunl0": IPIP}, []),
        ({"v": {"kind": "bridge", "ours": False, "address": ""}}, {"v": VXLAN}, []),
        ({}, {"v": VXLAN}, []),
    ],
)
def test_plan_absent(actual: dict[str, Entry], listed: dict[str, Entry], expected: list[str]) -> None:
    assert said(tunnels.plan(actual, listed, present=False)) == expected


def test_a_device_of_another_kind_is_not_touched() -> None:
    with pytest.raises(Conflict, match="configure tunnel v: a device of that name exists, of kind bridge"):
        tunnels.plan({"v": {"kind": "bridge", "ours": True, "address": ""}}, {"v": VXLAN})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vni", 7),
        ("port", 4790),
        ("local", "192.0.2.19"),
        ("parent", "eth1"),
        ("parent", ""),
        ("group", "239.1.1.1"),
        ("gbp", True),
    ],
)
def test_what_cannot_be_changed_makes_the_device_anew_and_says_so(field: str, value: t.Any) -> None:
    before = other(**{field: value})
    assert tunnels.needs_new_device(before, VXLAN)
    (change,) = tunnels.plan({"v": before}, {"v": VXLAN})
    assert change.before["device"] == f"deleted and made anew: {field}"


@pytest.mark.parametrize(
    ("mtu", "address", "fits"), [(1279, "fd00::1", False), (1280, "fd00::1", True), (1279, "10.0.0.1", True)]
)
def test_ipv6_needs_its_mtu(mtu: int, address: str, fits: bool) -> None:
    entry = {"kind": "ipip", "name": "tunl0", "address": address, "mtu": mtu}
    with (
        contextlib.nullcontext() if fits else pytest.raises(InvalidInput, match="mtu 1279 is too small for fd00::1/128")
    ):
        assert tunnel_entries.normalise(entry)["mtu"] == mtu


@pytest.mark.parametrize(("field", "value"), [("mtu", 1400), ("mac", "66:00:00:00:00:09"), ("learning", True)])
def test_what_can_be_changed_keeps_the_device(field: str, value: t.Any) -> None:
    before = other(**{field: value})
    assert not tunnels.needs_new_device(before, VXLAN)
    (change,) = tunnels.plan({"v": before}, {"v": VXLAN})
    assert "device" not in change.before


# By name: what there is, and whether the device is deleted and made anew for VXLAN.
ANEW: dict[str, tuple[dict[str, Entry], list[str]]] = {
    "none": ({}, []),
    "another MTU": ({"v": other(mtu=1400)}, []),
    "another VNI": ({"v": other(vni=7)}, ["v"]),
    "another parent": ({"v": other(parent="eth1")}, ["v"]),
}


@pytest.mark.parametrize(("actual", "anew"), ANEW.values(), ids=ANEW)
def test_devices_that_are_made_anew_are_known_by_the_changes(actual: dict[str, Entry], anew: list[str]) -> None:
    assert tunnels.made_anew(tunnels.plan(actual, {"v": VXLAN})) == anew
