# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures: medians, ratios of what was measured side by side, goals, and the file of results; nothing here measures."""

from __future__ import annotations

import operator
import re
import statistics
import typing as t
from dataclasses import dataclass

# As in results.json: id, value, unit, goal, holds, runs, spread.
Figure = t.Dict[str, t.Any]

_COMPARE: dict[str, t.Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_GOAL = re.compile(r"(<=|<|>=|>) ([0-9]+(?:\.[0-9]+)?)")
_COLUMNS = ("id", "value", "unit", "goal", "holds", "runs", "spread")


@dataclass(frozen=True)
class Sample:
    """What the runs of one figure gave: the value, the smallest and largest of single runs, how many runs."""

    value: float
    spread: tuple[float, float]
    runs: int
    unit: str = "ratio"


def of_values(values: t.Sequence[float], unit: str) -> Sample:
    """Return the median of what the runs gave, for a figure that stands alone."""
    return Sample(statistics.median(values), (min(values), max(values)), len(values), unit)


def ratio(ours: t.Sequence[float], theirs: t.Sequence[float]) -> Sample:
    """Return the ratio of the medians; the spread is that of the ratios of single runs, paired in their order.

    Raises ValueError if the sides have not been run equally often, or if one of theirs is not above zero: then what
    was to be measured is lost in the noise.
    """
    if len(ours) != len(theirs) or not theirs:
        raise ValueError(f"{len(ours)} runs against {len(theirs)} cannot be paired")
    if min(theirs) <= 0:
        raise ValueError(f"one run of what is compared with cost {min(theirs):.6f} s: the noise is larger than it")
    pairs = [our / their for our, their in zip(ours, theirs)]
    return Sample(statistics.median(ours) / statistics.median(theirs), (min(pairs), max(pairs)), len(pairs))


def marginal(costs: t.Sequence[float], base: t.Sequence[float]) -> list[float]:
    """Return what each run cost beyond the base of the same round."""
    if len(costs) != len(base):
        raise ValueError(f"{len(costs)} runs less {len(base)} cannot be paired")
    return [cost - less for cost, less in zip(costs, base)]


def worst(samples: t.Iterable[Sample]) -> Sample:
    """Return the sample with the largest value."""
    return max(samples, key=lambda sample: sample.value)


def meets(value: float, goal: str) -> bool:
    """Tell whether a value meets a goal such as "<= 0.5"; raises ValueError for text that is no goal."""
    match = _GOAL.fullmatch(goal)
    if not match:
        raise ValueError(f'"{goal}" is not a goal; write it as "<= 0.5"')
    return _COMPARE[match[1]](value, float(match[2]))


def rounded(value: float) -> float:
    """Return a value with four significant digits."""
    return float(f"{value:.4g}")


def figure(name: str, sample: Sample, goal: str | None) -> Figure:
    """Return the object for results.json; whether the goal holds is judged by the value that is printed."""
    value = rounded(sample.value)
    return {
        "id": name,
        "value": value,
        "unit": sample.unit,
        "goal": goal,
        "holds": None if goal is None else meets(value, goal),
        "runs": sample.runs,
        "spread": [rounded(bound) for bound in sample.spread],
    }


def merge(old: t.Iterable[Figure], new: t.Iterable[Figure], groups: t.Collection[str] = ()) -> list[Figure]:
    """Return all figures ordered by id: the new ones, and the old ones that they do not replace.

    groups: those that were measured as a whole; what is old in them is gone, also what was not measured again.
    """
    merged = {entry["id"]: entry for entry in old if entry["id"].partition(".")[0] not in groups}
    merged.update((entry["id"], entry) for entry in new)
    return [merged[name] for name in sorted(merged)]


def table(figures: t.Iterable[Figure]) -> str:
    """Return figures as lines of aligned columns under a headline."""
    rows = [_COLUMNS, *(_row(entry) for entry in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _row(entry: Figure) -> tuple[str, ...]:
    holds = {True: "yes", False: "NO", None: "-"}[entry["holds"]]
    low, high = entry["spread"]
    shown = (entry["id"], f"{entry['value']:g}", entry["unit"], entry["goal"] or "-", holds, str(entry["runs"]))
    return (*shown, f"{low:g} .. {high:g}")


def summary(figures: t.Sequence[Figure], crashed: t.Sequence[str]) -> str:
    """Return the last line of a run: how many figures, goals met and missed, and which cases failed."""
    goals = [entry for entry in figures if entry["goal"] is not None]
    missed = [entry["id"] for entry in goals if not entry["holds"]]
    text = f"{len(figures)} figures, {len(goals) - len(missed)} of {len(goals)} goals met"
    if missed:
        text += f", {len(missed)} missed: {', '.join(missed)}"
    return text + (f"; {len(crashed)} cases failed: {', '.join(crashed)}" if crashed else "")
