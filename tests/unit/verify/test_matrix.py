# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ping matrix: verdict, table, order of nodes."""

from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.text import natural
from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import TABLE_LIMIT, join


def pair(target: str, received: int = 10, seen: str | None = "VXLAN", expected: str = "VXLAN") -> dict[str, t.Any]:
    rtt = {"min": 0.1, "avg": 0.25, "max": 0.4} if received else None
    return {
        "target": target,
        "address": "10.0.0.1",
        "pool": "main",
        "expected": expected,
        "sent": 10,
        "received": received,
        "loss": round(1 - received / 10, 4),
        "rtt_ms": rtt,
        "encapsulation": seen if received else None,
    }


def test_all_is_well() -> None:
    matrix = join({"node1": [pair("node2")], "node2": [pair("node1", seen="None", expected="None")]})
    assert (matrix["ok"], matrix["failed"], matrix["unexpected"]) == (True, [], [])
    assert matrix["table"].splitlines() == [
        "pool main, from row to column: loss, mean round-trip time, encapsulation seen on the wire",
        "                   node1              node2",
        "node1              -                  0% 0.25 ms VXLAN",
        "node2              0% 0.25 ms direct  -",
    ]


def test_one_node_has_nothing_to_ping_and_says_so() -> None:
    matrix = join({"node1": []})
    assert (matrix["ok"], matrix["pairs"]) == (True, [])
    assert matrix["table"] == matrix["nothing"] == "Nothing to ping: node1 is alone in this run, so nothing is proven"


def test_several_nodes_without_a_pair_fail_with_the_reason() -> None:
    matrix = join({"node2": [], "node10": []})
    assert matrix["ok"] is False
    assert matrix["nothing"].startswith("Nothing was pinged: no pool holds a probe address on two of node2, node10.")


def test_loss_fails() -> None:
    matrix = join({"node1": [pair("node2", 9), pair("node3", 0)]})
    assert matrix["ok"] is False
    assert matrix["failed"] == [
        "node1 -> node2 (pool main, 10% lost)",
        "node1 -> node3 (pool main, 100% lost)",
    ]
    assert "no answer" in matrix["table"]


def test_another_encapsulation_than_planned_fails() -> None:
    matrix = join({"node1": [pair("node2", seen="None")]})
    assert matrix["ok"] is False
    assert matrix["unexpected"] == ["node1 -> node2 (pool main, 0% lost) travelled as None, planned was VXLAN"]


def test_nothing_measured_is_not_well() -> None:
    assert join({})["ok"] is False
    assert join({"node1": [], "node2": []})["ok"] is False


def test_nodes_are_in_the_order_a_person_expects() -> None:
    names = ["node10", "node2", "node1", "edge"]
    matrix = join({name: [pair(other) for other in names if other != name] for name in names})
    assert [line.split()[0] for line in matrix["table"].splitlines()[2:]] == ["edge", "node1", "node2", "node10"]


def test_many_nodes_list_only_what_is_not_well() -> None:
    names = [f"node{index}" for index in range(TABLE_LIMIT + 1)]
    matrix = join(
        {name: [pair(other, 0 if (name, other) == ("node3", "node4") else 10) for other in names] for name in names}
    )
    assert matrix["table"].splitlines() == [
        "pool main: 169 pairs, 1 with loss",
        "  node3 -> node4 (pool main, 100% lost)",
    ]


@given(st.text(), st.text())
def test_any_names_can_be_sorted(one: str, other: str) -> None:
    assert (natural(one) < natural(other)) or (natural(other) < natural(one)) or natural(one) == natural(other)
