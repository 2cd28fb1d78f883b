# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CNI configuration list."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import conflist

CNI = {"ranges": ["10.244.0.0/26", "10.245.0.0/26", "fd00::/122"], "mtu": 1430}


def test_conflist(golden: t.Callable[[str, str], None]) -> None:
    golden("cni/dual-stack.conflist", conflist(CNI, "podnet", "1.0.0"))


def test_shape() -> None:
    data = json.loads(conflist(CNI, "podnet", "1.0.0"))
    assert (data["cniVersion"], data["name"]) == ("1.0.0", "podnet")
    assert [plugin["type"] for plugin in data["plugins"]] == ["ptp", "portmap", "bandwidth"]
    ptp = data["plugins"][0]
    assert (ptp["mtu"], ptp["ipMasq"]) == (1430, False)
    assert [[row["subnet"] for row in rows] for rows in ptp["ipam"]["ranges"]] == [
        ["10.244.0.0/26", "10.245.0.0/26"],
        ["fd00::/122"],
    ]
    assert ptp["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


def test_one_ip_version() -> None:
    data = json.loads(conflist({"ranges": ["10.244.0.0/26"], "mtu": 1450}, "podnet", "0.4.0"))
    assert data["plugins"][0]["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}]


@pytest.mark.parametrize(("present", "mtu"), [(1400, 1400), (1430, 1430), (1480, 1430), (None, 1430)])
def test_an_mtu_that_does_not_exceed_the_present_one(present: int | None, mtu: int) -> None:
    there = conflist({**CNI, "mtu": present}, "podnet", "1.0.0") if present else "none yet"
    assert json.loads(conflist(CNI, "podnet", "1.0.0", there))["plugins"][0]["mtu"] == mtu
