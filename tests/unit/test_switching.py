# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a live change of modes is judged, which plan and which pings it takes meanwhile, and how it ends in words."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.filter.switching import (
    switch_failure,
    switch_gate,
    switch_summary,
)

Data = t.Dict[str, t.Any]
RESULTS = ["switch_move", "switch_pings"]
NODES = ("node1", "node2", "node10")


def ping(target: str, received: int = 4, seen: str | None = "VXLAN") -> Data:
    """Return what calico_ping says of one of four echo requests to a node; planned is VXLAN."""
    return {
        "target": target,
        "pool": "main",
        "sent": 4,
        "received": received,
        "loss": 1 - received / 4,
        "rtt_ms": {"avg": 0.1},
        "encapsulation": seen,
        "expected": "VXLAN",
    }


def host(name: str, pings: list[Data], **answers: Data) -> Data:
    """Return the variables of a host that moved its routes and pinged; answers: of tasks that went otherwise."""
    good = {"plan_of_node": {"node": name}, "switch_move": {"changed": True}, "switch_pings": {"results": pings}}
    return {key: value for key, value in {**good, **answers}.items() if value}


UNREACHABLE = {"unreachable": True, "msg": "Failed to connect to the host"}
FAILED = {"failed": True, "msg": "create route 10.244.1.0/26: Network is unreachable"}
SILENT: Data = {"failed": True}
NONE: Data = {}  # the task was never run
N1, N2 = host("node1", [ping("node2")]), host("node2", [ping("node1")])
# By name: what two hosts answered; the problems, and pairs, sent and lost.
VERDICTS: dict[str, tuple[Data, Data, list[str], tuple[int, int, int]]] = {
    "all well": (N1, N2, [], (2, 8, 0)),
    "one packet is lost": (N1, host("node2", [ping("node1", 3)]), ["node2 -> node1 (pool main, 25% lost)"], (2, 8, 1)),
    "no packet comes back": (
        N1,
        host("node2", [ping("node1", 0, None)]),
        ["node2 -> node1 (pool main, 100% lost)"],
        (2, 8, 4),
    ),
    "packets take the old way": (
        N1,
        host("node2", [ping("node1", 4, "None")]),
        ["node2 -> node1 (pool main, 0% lost) travelled as None, planned was VXLAN"],
        (2, 8, 0),
    ),
    "packets that were not seen on the wire": (N1, host("node2", [ping("node1", 4, None)]), [], (2, 8, 0)),
    "unreachable while routes move": (
        N1,
        host("node2", [ping("node1")], switch_move=UNREACHABLE),
        ["node2: Failed to connect to the host"],
        (1, 4, 0),
    ),
    "unreachable while pinging": (
        N1,
        host("node2", [], switch_pings=UNREACHABLE),
        ["node2: Failed to connect to the host"],
        (1, 4, 0),
    ),
    "unreachable all the time": (
        N1,
        host("node2", [], switch_move=UNREACHABLE, switch_pings=UNREACHABLE),
        ["node2: Failed to connect to the host"] * 2,
        (1, 4, 0),
    ),
    "routes that the kernel refuses": (
        N1,
        host("node2", [ping("node1")], switch_move=FAILED),
        ["node2: create route 10.244.1.0/26: Network is unreachable"],
        (1, 4, 0),
    ),
    "a task that failed without a word": (
        N1,
        host("node2", [ping("node1")], switch_move=SILENT),
        ["node2: no answer"],
        (1, 4, 0),
    ),
    "a task that was never run": (
        N1,
        host("node2", [ping("node1")], switch_pings=NONE),
        ["node2: no answer"],
        (1, 4, 0),
    ),
    "both": (
        host("node1", [], switch_move=UNREACHABLE),
        host("node2", [], switch_move=FAILED),
        [
            "node1: Failed to connect to the host",
            "node2: create route 10.244.1.0/26: Network is unreachable",
        ],
        (0, 0, 0),
    ),
    "nobody to ping": (host("node1", []), host("node2", []), [], (0, 0, 0)),
}


@pytest.mark.parametrize(("first", "second", "problems", "counts"), VERDICTS.values(), ids=VERDICTS)
def test_verdict_on_a_batch(first: Data, second: Data, problems: list[str], counts: tuple[int, int, int]) -> None:
    found = switch_gate({"node1": first, "node2": second}, ["node1", "node2"], RESULTS)
    assert found["problems"] == problems
    assert found["ok"] is (not problems)
    assert (found["pairs"], found["sent"], found["lost"]) == counts


def test_hosts_outside_of_the_batch_are_not_judged() -> None:
    hostvars = {"node1": N1, "node2": host("node2", [], switch_move=UNREACHABLE)}
    assert switch_gate(hostvars, ["node1"], RESULTS)["ok"] is True


def test_rows_are_of_nodes_which_may_be_named_otherwise_than_hosts() -> None:
    found = switch_gate({"host7": host("node7", [ping("node1", 0)])}, ["host7"], RESULTS)
    assert found["problems"] == ["node7 -> node1 (pool main, 100% lost)"]


def state(moved: bool, **more: t.Any) -> Data:
    return {"switch_changes": ["ipv4: None -> VXLAN"], "switch_moved": moved, **more}


LOST = {"problems": ["node1 -> node2 lost"]}
BACK: Data = {"switch_back": {"changed": True}}
# By name: hosts, the batch that went back, what was found, and what is in place.
FAILURES: dict[str, tuple[dict[str, Data], list[str], str, str]] = {
    "before any host moved": (
        {name: state(False) for name in NODES},
        [],
        "node1 -> node2 lost",
        "node1, node2, node10 did not move",
    ),
    "on the way": (
        {"node1": state(True), "node2": state(False, **BACK), "node10": state(False)},
        ["node2"],
        "node1 -> node2 lost",
        "node2 went back to the old mode; node1 moved before, in the new mode; node10 did not move",
    ),
    "one that cannot be reached any more": (
        {
            "node1": state(False, **BACK),
            "node2": state(False, switch_back=UNREACHABLE),
            "node10": state(False),
        },
        ["node1", "node2"],
        "node1 -> node2 lost",
        "node1 went back to the old mode; node2 could not be told to go back; node10 did not move",
    ),
    "one that refuses": (
        {"node1": state(False, switch_back=FAILED)},
        ["node1"],
        "node1 -> node2 lost",
        "node1 could not be told to go back",
    ),
    "one that was not asked": ({"node1": state(False)}, ["node1"], "node1 -> node2 lost", "node1 could not be told"),
    "something else than pings": (
        {"node1": state(False, **BACK, switch_failed="Make a tunnel: no module vxlan"), "node2": state(False)},
        ["node1"],
        "node1: Make a tunnel: no module vxlan",
        "node1 went back to the old mode; node2 did not move",
    ),
    "the verdict itself": (
        {"node1": state(False, **BACK, switch_failed="Judge the new path: Assertion failed")},
        ["node1"],
        "node1 -> node2 lost",
        "node1 went back",
    ),
}


@pytest.mark.parametrize(("hostvars", "batch", "found", "in_place"), FAILURES.values(), ids=FAILURES)
def test_what_a_failed_switch_says(hostvars: dict[str, Data], batch: list[str], found: str, in_place: str) -> None:
    said = switch_failure(LOST, hostvars, batch, list(hostvars))
    assert f"Change of ipv4: None -> VXLAN. Found: {found}.\n" in said
    assert f"In place: {in_place}" in said


def test_what_a_failed_switch_says_does_not_depend_on_whose_answer_came_first() -> None:
    hostvars = {name: state(name == "node2") for name in NODES}
    said = switch_failure({"problems": ["lost"]}, hostvars, [], ["node10", "node2", "node1"])
    assert "In place: node2 moved before, in the new mode; node1, node10 did not move." in said


@pytest.mark.parametrize(
    ("number", "listed"),
    [(9, "n1, n2, n3, n4, n5, n6, n7, n8, n9 did"), (10, "n1, n2, n3, n4, n5, n6, n7, n8 and 2 more did")],
)
def test_many_hosts_are_counted(number: int, listed: str) -> None:
    hostvars = {f"n{place}": state(False) for place in range(1, number + 1)}
    assert f"In place: {listed} not move" in switch_failure(LOST, hostvars, [], list(hostvars))


def test_summary() -> None:
    done = {"node1": {**N1, **state(True)}, "node2": {**host("node2", [ping("node1", 3)]), **state(True)}}
    assert switch_summary(done, ["node1", "node2"]) == [
        "ipv4: None -> VXLAN: 2 nodes.",
        "2 pairs of nodes were pinged as soon as the first of them had moved: 8 packets, 1 lost.",
    ]
    begun = {"node1": {**N1, "switch_changes": []}}
    assert switch_summary(begun, ["node1"])[0] == "What an earlier run left half done is put in order: 1 node."
    alone = {"node1": {**host("node1", []), **state(True)}}
    assert switch_summary(alone, ["node1"]) == [
        "ipv4: None -> VXLAN: 1 node.",
        "Nothing was pinged: there is no other node.",
    ]
    assert switch_summary(done, []) == ["All nodes had the modes of the inventory already."]
