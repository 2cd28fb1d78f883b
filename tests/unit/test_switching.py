# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a live change of modes is judged, and how it ends in words."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.filter.switching import (
    switch_failure,
    switch_gate,
    switch_summary,
)

Data = t.Dict[str, t.Any]
NODES = ("node1", "node2", "node10")


def ping(received: int = 4) -> Data:
    """Return a part of what calico_ping says of four echo requests to a node."""
    return {"sent": 4, "received": received}


WELL: Data = {"switch_move": {"changed": True, "pings": [ping()]}}
UNREACHABLE: Data = {"switch_move": {"unreachable": True, "msg": "Failed to connect to the host"}}
GONE = "prove the new routes: node1: 100% lost"
BACK: Data = {"switch_move": {"failed": True, "msg": GONE, "failure": {"routes": "back"}}}
STUCK: Data = {"switch_move": {"failed": True, "msg": "persist: disk full", "failure": {"concern": "persist"}}}
SILENT: Data = {"switch_move": {"failed": True}}
PINGED: Data = {"switch_move": {"failed": True, "problems": ["node1: 25% lost", "node3: 25% lost"]}}
NOT_REACHED: Data = {}
BROKEN: Data = {"ansible_failed_result": {"failed": True, "msg": "Make a tunnel: no module vxlan"}}
UNASKED: Data = {"plan_held": {"unreachable": True, "msg": "cannot enter node1"}}
# By name: what two hosts answered, and the problems; none if all is well.
VERDICTS: dict[str, tuple[Data, Data, list[str] | None]] = {
    "all well": (WELL, WELL, None),
    "it went back": (WELL, BACK, [f"node2: {GONE}"]),
    "unreachable": (WELL, UNREACHABLE, ["node2: Failed to connect to the host"]),
    "a task that failed without a word": (WELL, SILENT, ["node2: no answer"]),
    "a task that names several problems": (WELL, PINGED, ["node2: node1: 25% lost", "node2: node3: 25% lost"]),
    "both": (UNREACHABLE, STUCK, ["node1: Failed to connect to the host", "node2: persist: disk full"]),
    "an earlier task failed": (NOT_REACHED, BROKEN, ["node2: Make a tunnel: no module vxlan"]),
    "the datastore did not answer": (UNASKED, UNASKED, ["node1: cannot enter node1", "node2: cannot enter node1"]),
    "nothing was reached": (NOT_REACHED, NOT_REACHED, None),
    "skipped, as in check mode": ({"switch_move": {"skipped": True}}, WELL, None),
}


@pytest.mark.parametrize(("first", "second", "problems"), VERDICTS.values(), ids=VERDICTS)
def test_verdict_on_a_batch(first: Data, second: Data, problems: list[str] | None) -> None:
    found = switch_gate({"node1": first, "node2": second}, ["node1", "node2"], "switch_move")
    assert found == {"ok": problems is None, "problems": problems or []}


def test_hosts_outside_of_the_batch_are_not_judged() -> None:
    assert switch_gate({"node1": WELL, "node2": UNREACHABLE}, ["node1"], "switch_move")["ok"] is True


def state(moved: bool, answer: Data | None = None) -> Data:
    return {"switch_changes": ["ipv4: None -> VXLAN"], "switch_moved": moved, **(answer or {})}


LOST = {"problems": ["node1 -> node2 lost"]}
UNKNOWN = "cannot be asked; each goes back by itself unless it reaches all others by the new path"
# By name: hosts, and what is in place.
FAILURES: dict[str, tuple[dict[str, Data], str]] = {
    "before any host moved": ({name: state(False) for name in NODES}, "node1, node2, node10 did not move"),
    "on the way": (
        {"node1": state(True), "node2": state(False, BACK), "node10": state(False)},
        "node2 went back to the old mode; node1 in the new mode; node10 did not move",
    ),
    "others of the batch stay": (
        {"node1": state(False, WELL), "node2": state(False, BACK)},
        "node2 went back to the old mode; node1 in the new mode",
    ),
    "one that cannot be reached any more": (
        {"node1": state(False, UNREACHABLE), "node2": state(False)},
        f"node1 {UNKNOWN}; node2 did not move",
    ),
    "one that moved and cannot tell its boot": (
        {"node1": state(False, STUCK)},
        "node1 could not be brought to one mode, see above",
    ),
    "one that had moved, and loses packets now": (
        {"node1": state(False, {"switch_move": {"failed": True, "failure": {"routes": "unchanged"}}})},
        "node1 in the new mode",
    ),
    "one that moved in an earlier batch, and was not asked again": (
        {"node1": state(True, WELL), "node2": state(False, UNREACHABLE)},
        f"node2 {UNKNOWN}; node1 in the new mode",
    ),
}


@pytest.mark.parametrize(("hostvars", "in_place"), FAILURES.values(), ids=FAILURES)
def test_what_a_failed_switch_says(hostvars: dict[str, Data], in_place: str) -> None:
    said = switch_failure(LOST, hostvars, list(hostvars))
    assert "Change of ipv4: None -> VXLAN. Found: node1 -> node2 lost.\n" in said
    assert f"In place: {in_place}. Both data paths" in said


def test_what_a_failed_switch_says_does_not_depend_on_whose_answer_came_first() -> None:
    hostvars = {name: state(name == "node2") for name in NODES}
    said = switch_failure(LOST, hostvars, ["node10", "node2", "node1"])
    assert "In place: node2 in the new mode; node1, node10 did not move." in said


@pytest.mark.parametrize(
    ("number", "listed"),
    [(9, "n1, n2, n3, n4, n5, n6, n7, n8, n9 did"), (10, "n1, n2, n3, n4, n5, n6, n7, n8 and 2 more did")],
)
def test_many_hosts_are_counted(number: int, listed: str) -> None:
    hostvars = {f"n{place}": state(False) for place in range(1, number + 1)}
    assert f"In place: {listed} not move" in switch_failure(LOST, hostvars, list(hostvars))


def test_summary() -> None:
    less: Data = {"switch_move": {"pings": [ping(3)]}}
    done = {"node1": state(True, WELL), "node2": state(True, less)}
    assert switch_summary(done, ["node1", "node2"]) == [
        "ipv4: None -> VXLAN: 2 nodes.",
        "2 pairs of nodes were pinged as soon as the first of them had moved: 8 packets, 1 lost.",
    ]
    begun = {"node1": {**WELL, "switch_changes": []}}
    assert switch_summary(begun, ["node1"])[0] == "What an earlier run left half done is put in order: 1 node."
    alone = {"node1": state(True, {"switch_move": {"pings": []}})}
    assert switch_summary(alone, ["node1"]) == [
        "ipv4: None -> VXLAN: 1 node.",
        "Nothing was pinged: there is no other node.",
    ]
    assert switch_summary(done, []) == ["All nodes had the modes of the inventory already."]
