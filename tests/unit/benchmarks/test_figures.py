# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the benchmarks: ratios, goals, what a run replaces among the results, and the table."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.benchmarks import figures
from ansible_collections.podnet.calico.tests.benchmarks.figures import Figure, Sample


def entry(name: str, value: float = 1.0, goal: str | None = None) -> Figure:
    return figures.figure(name, Sample(value, (value, value), 5), goal)


def test_a_ratio_is_that_of_the_medians_with_the_spread_of_the_pairs() -> None:
    sample = figures.ratio([1.0, 9.0, 3.0], [2.0, 3.0, 12.0])
    assert sample == Sample(value=3.0 / 3.0, spread=(0.25, 3.0), runs=3)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [([1.0], [1.0, 2.0]), ([], []), ([1.0, 1.0], [1.0, 0.0]), ([1.0, 1.0], [1.0, -0.1])],
    ids=["unequal", "empty", "zero", "negative"],
)
def test_what_cannot_be_paired_has_no_ratio(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"paired|noise"):
        figures.ratio(ours, theirs)


def test_a_marginal_cost_is_taken_round_by_round() -> None:
    assert figures.marginal([5.0, 7.0], [1.0, 4.0]) == [4.0, 3.0]
    with pytest.raises(ValueError, match="paired"):
        figures.marginal([5.0], [1.0, 4.0])


def test_a_figure_that_stands_alone_is_the_median() -> None:
    assert figures.of_values([250.0, 90.0, 100.0], "MiB") == Sample(100.0, (90.0, 250.0), 3, "MiB")


def test_the_worst_sample_is_the_largest() -> None:
    samples = [Sample(0.4, (0.1, 0.9), 5), Sample(0.6, (0.5, 0.7), 5)]
    assert figures.worst(samples) is samples[1]


@pytest.mark.parametrize(
    ("value", "goal", "holds"),
    [
        (0.5, "<= 0.5", True),
        (0.501, "<= 0.5", False),
        (300, "< 300", False),
        (299.9, "< 300", True),
        (2, ">= 2", True),
        (2, "> 2", False),
    ],
)
def test_a_goal_holds_or_not(value: float, goal: str, holds: bool) -> None:
    assert figures.meets(value, goal) is holds


@pytest.mark.parametrize("goal", ["0.5", "=< 0.5", "<= half", "<=0.5", ""])
def test_what_is_no_goal_is_refused(goal: str) -> None:
    with pytest.raises(ValueError, match="is not a goal"):
        figures.meets(0.1, goal)


def test_the_object_of_a_figure_has_exactly_the_agreed_fields() -> None:
    made = figures.figure("kernel.x", Sample(0.123456, (0.1000009, 0.2), 5), "<= 0.5")
    wanted = {"id": "kernel.x", "value": 0.1235, "unit": "ratio", "goal": "<= 0.5", "holds": True, "runs": 5}
    assert made == {**wanted, "spread": [0.1, 0.2]}
    assert list(made) == ["id", "value", "unit", "goal", "holds", "runs", "spread"]


def test_a_figure_without_goal_neither_holds_nor_fails() -> None:
    made = entry("kernel.x")
    assert (made["goal"], made["holds"]) == (None, None)


def names(merged: t.Iterable[Figure]) -> list[tuple[str, float]]:
    return [(item["id"], item["value"]) for item in merged]


OLD = [entry("bgp.z"), entry("kernel.b"), entry("kernel.gone"), entry("kernelish.k")]


def test_a_run_of_a_group_replaces_all_of_the_group_and_nothing_else() -> None:
    merged = figures.merge(OLD, [entry("kernel.b", 2.0), entry("kernel.a", 3.0)], ["kernel"])
    assert names(merged) == [("bgp.z", 1.0), ("kernel.a", 3.0), ("kernel.b", 2.0), ("kernelish.k", 1.0)]


def test_a_run_of_a_few_figures_replaces_only_these() -> None:
    merged = figures.merge(OLD, [entry("kernel.b", 2.0)])
    assert names(merged) == [("bgp.z", 1.0), ("kernel.b", 2.0), ("kernel.gone", 1.0), ("kernelish.k", 1.0)]


def test_the_table_marks_a_missed_goal() -> None:
    lines = figures.table([entry("kernel.a", 0.4, "<= 0.5"), entry("kernel.b", 0.6, "<= 0.5"), entry("kernel.c")])
    assert [line.split()[:6] for line in lines.splitlines()] == [
        ["id", "value", "unit", "goal", "holds", "runs"],
        ["kernel.a", "0.4", "ratio", "<=", "0.5", "yes"],
        ["kernel.b", "0.6", "ratio", "<=", "0.5", "NO"],
        ["kernel.c", "1", "ratio", "-", "-", "5"],
    ]


def test_the_last_line_counts_missed_goals_and_failed_cases() -> None:
    shown = [entry("kernel.a", 0.4, "<= 0.5"), entry("kernel.b", 0.6, "<= 0.5"), entry("kernel.c")]
    assert figures.summary(shown, []) == "3 figures, 1 of 2 goals met, 1 missed: kernel.b"
    assert figures.summary([], ["200 endpoints"]) == "0 figures, 0 of 0 goals met; 1 cases failed: 200 endpoints"
