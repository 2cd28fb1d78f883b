# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps one after the other: one outcome of all, and how far a failure came."""

from __future__ import annotations

import errno
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.changes import LISTED, Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.dataplane.steps import Unfinished, make
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, MissingLibrary, PodnetError

Result = t.Dict[str, t.Any]


def gives(*changes: Change, **facts: t.Any) -> t.Callable[[], Outcome]:
    return lambda: Outcome(list(changes), facts)


def fails(error: Exception) -> t.Callable[[], Outcome]:
    def work() -> Outcome:
        raise error

    return work


NEW = Change("route", "10.244.1.0/26", None, "via 192.0.2.12")
OLD = Change("tunnel", "vxlan.calico", {"mtu": 1400}, {"mtu": 1450})


def test_nothing_to_do() -> None:
    assert make([("sysctls", gives()), ("routes", gives(surplus=[]))], with_diff=True).result() == {
        "changed": False,
        "changes": [],
        "summary": {"create": 0, "replace": 0, "delete": 0},
        "surplus": [],
        "diff": [],
    }


def test_changes_facts_and_diffs_are_in_the_order_of_the_steps() -> None:
    steps = [
        ("sysctls", gives()),
        ("tunnels", gives(OLD, surplus=["vxlan.old"])),
        ("routes", gives(NEW, surplus=["10.9.0.0/26"])),
    ]
    result = make(steps, with_diff=True).result()
    assert result["changes"] == [
        {"action": "replace", "kind": "tunnel", "name": "vxlan.calico", "concern": "tunnels"},
        {"action": "create", "kind": "route", "name": "10.244.1.0/26", "concern": "routes"},
    ]
    assert (result["changed"], result["summary"]) == (True, {"create": 1, "replace": 1, "delete": 0})
    assert result["surplus"] == ["vxlan.old", "10.9.0.0/26"]
    assert [(each["before_header"], each["after_header"]) for each in result["diff"]] == [
        ("tunnels", "tunnels"),
        ("routes", "routes"),
    ]
    assert result["diff"][1]["after"] == "route 10.244.1.0/26 via 192.0.2.12\n"


def test_many_changes_of_one_concern_leave_room_for_those_of_the_next() -> None:
    many = [Change("route", str(number), None, "") for number in range(LISTED + 5)]
    result = make([("routes", gives(*many)), ("nat", gives(OLD))], with_diff=False).result(with_diff=False)
    assert len(result["changes"]) == LISTED + 1
    assert result["changes"][-1]["concern"] == "nat"
    assert result["summary"]["create"] == LISTED + 5
    assert "diff" not in result


def test_a_result_is_made_before_the_next_step_is() -> None:
    devices = {7: "vxlan.calico"}

    class Lazy:
        def __len__(self) -> int:
            return 1

        def __iter__(self) -> t.Iterator[Change]:
            yield Change("route", "10.244.1.0/26", f"dev {devices.get(7, 7)}")

    def remove() -> Outcome:
        devices.clear()
        return Outcome()

    result = make([("routes", lambda: Outcome(Lazy())), ("tunnels", remove)], with_diff=True).result()
    assert "dev vxlan.calico" in result["diff"][0]["before"]


# By name: the steps, and of the failure the message, kind, done and not_done.
FAILURES: dict[str, tuple[Exception, tuple[str, str, str]]] = {
    "an expected one": (
        Conflict("create route X: one exists", remedy="Remove it", errno=17),
        ("create route X: one exists", ". Remove it", "Conflict"),
    ),
    "a library": (MissingLibrary("import pyroute2: none", "trace"), ("import pyroute2: none", "", "MissingLibrary")),
    "of a file": (
        OSError(errno.ENOSPC, "No space left on device", "/etc/x"),
        ("/etc/x: No space left on device", ". Correct that, and run this again", "KernelError"),
    ),
}


@pytest.mark.parametrize(("error", "said"), FAILURES.values(), ids=FAILURES)
def test_a_failure_says_how_far_it_came(error: Exception, said: tuple[str, str, str]) -> None:
    message, remedy, kind = said
    steps = [
        ("sysctls", gives()),
        ("tunnels", gives(OLD)),
        ("routes", fails(error)),
        ("tunnels", gives()),
        ("nat", gives()),
    ]
    with pytest.raises(Unfinished) as caught:
        make(steps, with_diff=False)
    told = "(in line: sysctls; not yet: tunnels, nat)"
    assert str(caught.value) == f"routes: {message} {told}{remedy}"
    failure = caught.value.as_dict()
    assert {key: failure[key] for key in ("kind", "concern", "done", "not_done")} == {
        "kind": kind,
        "concern": "routes",
        "done": ["sysctls"],
        "not_done": ["tunnels", "nat"],
    }
    assert failure["changes"] == [{"action": "replace", "kind": "tunnel", "name": "vxlan.calico", "concern": "tunnels"}]
    details = error.details if isinstance(error, PodnetError) else {}
    assert details.items() <= failure.items()


def test_the_first_and_the_last_step_that_fail_name_one_side_only() -> None:
    for steps, told in (
        ([("a", fails(Conflict("no"))), ("b", gives())], "a: no (not yet: b)"),
        ([("a", gives()), ("b", fails(Conflict("no")))], "b: no (in line: a)"),
        ([("b", fails(Conflict("no")))], "b: no"),
    ):
        with pytest.raises(Unfinished) as caught:
            make(steps, with_diff=False)
        assert str(caught.value) == told
