# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for BIRD's routes: why they do not come is said as it is, also where there is no session at all."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import inform
from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol, Status
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError

UP, DOWN = "Established", "Active"


def session(name: str, info: str) -> Protocol:
    return Protocol(name, "BGP", "up" if info == UP else "start", "12:00:00", info)


@pytest.mark.parametrize(
    ("infos", "said"),
    [
        ([], "BIRD has no BGP session at all: podnet.calico.lint says which nodes have none"),
        ([UP, DOWN], "1 of 2 sessions are not established"),
        ([UP, UP], "All sessions are established: do the peers announce these routes"),
    ],
)
def test_why_routes_do_not_come(infos: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = {f"s{number}": session(f"s{number}", info) for number, info in enumerate(infos)}
    monkeypatch.setattr(inform, "Netlink", contextlib.nullcontext)
    monkeypatch.setattr(inform, "read", lambda netlink, protocol: [])
    monkeypatch.setattr(inform.daemon, "read", lambda: Status("2.0.12", t.cast("dict[str, Protocol]", sessions)))
    with pytest.raises(DaemonError) as caught:
        inform.inform([], ["10.244.0.0/26"], wait=0.01)
    assert "1 of 1 are not in the kernel: 10.244.0.0/26" in str(caught.value)
    assert said in str(caught.value)


def full(name: str) -> Protocol:
    found = session(name, UP)
    found.limits_hit = ["import limit 10000", "receive limit 1000000"]
    return found


WARNED: dict[str, tuple[list[Protocol], list[str]]] = {
    "no session": ([], []),
    "all is well": ([session("a", UP)], []),
    "one that is down": (
        [session("b", DOWN), session("a", UP)],
        ["host1: 1 of 2 BGP sessions are not established: b (Active)"],
    ),
    "one that refuses routes": (
        [full("a")],
        ["host1: BGP sessions have reached a limit and refuse routes: a (import limit 10000, receive limit 1000000)"],
    ),
    "both, and many": (
        [*(session(f"s{number}", DOWN) for number in range(10, 32)), full("a")],
        [
            "host1: 22 of 23 BGP sessions are not established: "
            + ", ".join(f"s{number} (Active)" for number in range(10, 30))
            + " and 2 more",
            "host1: BGP sessions have reached a limit and refuse routes: a (import limit 10000, receive limit 1000000)",
        ],
    ),
}


@pytest.mark.parametrize("case", WARNED.values(), ids=WARNED)
def test_sessions_that_are_not_as_they_should_be_are_warned_of(case: tuple[list[Protocol], list[str]]) -> None:
    sessions, expected = case
    assert inform.warnings(Status("2.0.12", {one.name: one for one in sessions}), "host1") == expected
