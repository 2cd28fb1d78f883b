# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which endpoints are made, repaired, removed or left, from what is there and what is wanted; in which order."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.plugins.module_utils.kernel import endpoints

Entry = t.Dict[str, t.Any]


def wanted(number: int, **fields: t.Any) -> Entry:
    """Return an endpoint as it is listed; each number has its own address and namespace."""
    return {
        "workload": f"shop.web-{number}",
        "netns": f"pod{number}",
        "mtu": 1450,
        "addresses": [f"10.244.0.{number}/32"],
        "interface": "eth0",
        **fields,
    }


def there(number: int, **fields: t.Any) -> Entry:
    """Return an endpoint as it is read."""
    listed = wanted(number)
    return {**listed, "routes": listed["addresses"], "mac": "02:00:00:00:00:01", **fields}


FOREIGN = {"foreign": "bridge"}
# By name: what is there and what is wanted by the host's device, exclusive, and the changes.
CASES: dict[str, tuple[dict[str, Entry], dict[str, Entry], bool, list[str]]] = {
    "nothing": ({}, {}, True, []),
    "as it should be": ({"cali1": there(1)}, {"cali1": wanted(1)}, True, []),
    "a new one": ({}, {"cali1": wanted(1)}, False, ["create cali1"]),
    "one without its route": ({"cali1": there(1, routes=[])}, {"cali1": wanted(1)}, False, ["replace cali1"]),
    "another MTU": ({"cali1": there(1, mtu=1500)}, {"cali1": wanted(1)}, False, ["replace cali1"]),
    "a setting of the host's end": (
        {"cali1": there(1, host={"ipv4.proxy_arp": "0"})},
        {"cali1": wanted(1)},
        False,
        ["replace cali1"],
    ),
    "a MAC that was not asked for": ({"cali1": there(1)}, {"cali1": wanted(1)}, False, []),
    "a MAC that was asked for": (
        {"cali1": there(1)},
        {"cali1": wanted(1, mac="02:00:00:00:00:02")},
        False,
        ["replace cali1"],
    ),
    "another one of ours": ({"cali1": there(1), "cali2": there(2)}, {"cali1": wanted(1)}, False, []),
    "another one of ours, exclusive": (
        {"cali1": there(1), "cali2": there(2)},
        {"cali1": wanted(1)},
        True,
        ["delete cali2"],
    ),
    "one goes, one comes": ({"cali2": there(2)}, {"cali1": wanted(1)}, True, ["create cali1", "delete cali2"]),
    "one takes the address of another that goes": (
        {"cali2": there(2)},
        {"cali1": wanted(1, addresses=["10.244.0.2/32"])},
        True,
        ["delete cali2", "create cali1"],
    ),
    "one takes the namespace of another that goes": (
        {"cali2": there(2)},
        {"cali1": wanted(1, netns="pod2")},
        True,
        ["delete cali2", "create cali1"],
    ),
}


def said(changes: t.Iterable[t.Any]) -> list[str]:
    return [f"{change.action} {change.name}" for change in changes]


@pytest.mark.parametrize(("actual", "listed", "exclusive", "expected"), CASES.values(), ids=CASES)
def test_plan(actual: dict[str, Entry], listed: dict[str, Entry], exclusive: bool, expected: list[str]) -> None:
    assert said(endpoints.plan(actual, listed, exclusive=exclusive)) == expected


@pytest.mark.parametrize(
    ("actual", "listed", "expected"),
    [
        ({"cali1": there(1), "cali2": there(2)}, {"cali1": wanted(1)}, ["delete cali1"]),
        ({"cali1": FOREIGN}, {"cali1": wanted(1)}, []),
        ({}, {"cali1": wanted(1)}, []),
    ],
)
def test_plan_absent(actual: dict[str, Entry], listed: dict[str, Entry], expected: list[str]) -> None:
    assert said(endpoints.plan(actual, listed, present=False)) == expected


def test_a_device_of_somebody_else_is_not_touched() -> None:
    with pytest.raises(Conflict, match=r"create endpoint shop\.web-1: cali1 exists and is not ours \(bridge\)"):
        endpoints.plan({"cali1": FOREIGN}, {"cali1": wanted(1)})
