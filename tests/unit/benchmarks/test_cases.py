# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the benchmarks' cases, and how a case is run: in turns, in children whose whole cost is counted."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from ansible_collections.podnet.calico.tests.benchmarks import figures, kernel, run, scene
from ansible_collections.podnet.calico.tests.benchmarks.case import chosen
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, MeasuringFailed, command, forked

IDS = [(group, name) for group, cases in run.GROUPS.items() for case in cases for name in case.goals]
GOALS = [goal for cases in run.GROUPS.values() for case in cases for goal in case.goals.items()]


def test_every_id_is_of_one_case_and_of_its_group() -> None:
    assert len(IDS) == len({name for __, name in IDS})
    assert [name for group, name in IDS if name.partition(".")[0] != group] == []


@pytest.mark.parametrize(("name", "goal"), [pair for pair in GOALS if pair[1]], ids=lambda word: word)
def test_every_goal_can_be_judged(name: str, goal: str) -> None:
    assert figures.meets(0.0, goal) in (True, False), name


def test_cases_are_chosen_by_group_and_by_id() -> None:
    assert chosen(kernel.CASES, "") == chosen(kernel.CASES, "kernel") == list(kernel.CASES)
    (only,) = chosen(kernel.CASES, "kernel.veth_verify_vs_ip")
    assert list(only.goals) == ["kernel.veth_verify_vs_ip"]
    assert chosen(kernel.CASES, "nonsense") == []


def bench(scratch: Path, divisor: int = 1) -> Bench:
    return Bench("a case", scratch, runs=2, divisor=divisor)


@pytest.mark.parametrize(("warm", "order"), [(True, "ABABAB"), (False, "ABAB")])
def test_sides_take_turns_and_the_warming_up_does_not_count(tmp_path: Path, warm: bool, order: str) -> None:
    ran: list[str] = []

    def side(name: str) -> t.Callable[[], Cost]:
        def run() -> Cost:
            ran.append(name)
            return Cost(0.0, 0.0, len(ran))

        return run

    costs = bench(tmp_path).interleave({"A": side("A"), "B": side("B")}, warm=warm)
    first = 3 if warm else 1
    assert "".join(ran) == order
    assert {name: [cost.answer for cost in ran] for name, ran in costs.items()} == {
        "A": [first, first + 2],
        "B": [first + 1, first + 3],
    }


def test_a_quick_run_has_less_to_do_but_something(tmp_path: Path) -> None:
    assert [bench(tmp_path, 20).size(number) for number in (10_000, 200, 15)] == [500, 10, 10]
    assert bench(tmp_path).size(10_000) == 10_000


def test_a_child_answers_and_leaves_this_process_as_it_was() -> None:
    changed = {"here": False}

    def work() -> list[int]:
        changed["here"] = True
        return [os.getppid()]

    assert forked(work).answer == [os.getpid()]
    assert changed == {"here": False}


def test_a_child_that_fails_is_no_measurement() -> None:
    with pytest.raises(MeasuringFailed, match="ZeroDivisionError"):
        forked(lambda: 1 // 0)


BURN = (
    "import resource; sum(range(10**6)); u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
)


def test_the_cost_has_the_childs_own_children_in_it() -> None:
    def work() -> float:
        return float(subprocess.run([sys.executable, "-c", BURN], capture_output=True, check=True).stdout)

    cost = forked(work)
    assert cost.cpu > cost.answer > 0


def test_a_program_answers_with_what_it_printed(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("given\n")
    cost = command(["sh", "-c", "cat; echo $WORD; echo warned >&2"], stdin=words, environment={"WORD": "set"})
    assert cost.answer == "given\nset\nwarned\n"


def test_a_program_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(MeasuringFailed, match=r"(?s)sh -c .* ended with status 3:\ntold"):
        command(["sh", "-c", "echo told; exit 3"])
    with pytest.raises(MeasuringFailed, match="No such file"):
        command([str(tmp_path / "missing")])


@pytest.mark.parametrize("number", [10, 500, 10_000])
def test_routes_are_distinct_and_spread_over_the_gateways(number: int) -> None:
    made = scene.routes(number)
    destinations = [destination for entry in made for destination in entry["destinations"]]
    assert len(destinations) == len(set(destinations)) == number
    assert len({entry["gateway"] for entry in made}) == len(made) == min(number, scene.GATEWAYS)


def test_own_and_foreign_routes_do_not_meet() -> None:
    own, foreign = (
        {name for entry in scene.routes(100_000, first) for name in entry["destinations"]}
        for first in (scene.OWN, scene.FOREIGN)
    )
    assert not own & foreign


def test_a_batch_has_a_line_for_each_destination() -> None:
    entries = [{"destinations": ["10.0.0.0/26", "10.0.0.64/26"], "gateway": "192.0.2.10", "device": "eth0"}]
    assert scene.route_lines(entries, "replace") == (
        "route replace 10.0.0.0/26 via 192.0.2.10 dev eth0 proto 98\n"
        "route replace 10.0.0.64/26 via 192.0.2.10 dev eth0 proto 98\n"
    )
