# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test counts and costs of sessions: read from JUnit files, as a table, and as a whole in .cache/durations.json.

Run as a program, it writes the table of the last run of all sessions into docs/development.md.
"""

from __future__ import annotations

import collections
import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
DURATIONS = ROOT / ".cache" / "durations.json"
PAGE = ROOT / "docs" / "development.md"
BEGIN, END = "<!-- durations: tests/tools/durations.py writes this table -->", "<!-- end of durations -->"


@dataclass(frozen=True)
class Counts:
    """Numbers of tests, and of skipped tests by reason. Counts can be added."""

    passed: int = 0
    failed: int = 0
    skipped: collections.Counter[str] = field(default_factory=collections.Counter)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def line(self) -> str:
        """Return "N passed, N failed, N skipped (N: reason; ...)"."""
        text = f"{self.passed} passed, {self.failed} failed, {sum(self.skipped.values())} skipped"
        reasons = "; ".join(f"{number}: {reason}" for reason, number in self.skipped.most_common())
        return f"{text} ({reasons})" if reasons else text


def of_junit(text: str) -> Counts:
    """Count the cases of a JUnit file as pytest writes it; a case with a failure and an error is one failed test."""
    passed, failed, skipped = 0, set(), collections.Counter[str]()
    for case in ElementTree.fromstring(text).iter("testcase"):  # noqa: S314 (a file of our own pytest)
        kinds = {child.tag: child for child in case}
        if "failure" in kinds or "error" in kinds:
            failed.add((case.get("classname"), case.get("name")))
        elif "skipped" in kinds:
            skipped[kinds["skipped"].get("message", "")] += 1
        else:
            passed += 1
    return Counts(passed, len(failed), skipped)


def of_session(junit: Path, status: int) -> Counts:
    """Count the tests of a session; one that is no pytest run, or that failed outside of its tests, counts itself."""
    found = of_junit(junit.read_text(encoding="utf-8")) if junit.exists() else Counts(passed=0 if status else 1)
    return found if found.failed or not status else found + Counts(failed=1)


def table(durations: dict[str, t.Any]) -> str:
    """Return a Markdown table of sessions with tests, wall and processor seconds, the most expensive first."""
    rows = ["| session | passed | failed | skipped | wall s | CPU s |", "|---|---|---|---|---|---|"]
    sessions = sorted(durations["sessions"].items(), key=lambda item: -float(item[1]["cpu_seconds"]))
    rows += [_row(f"`{name}`", session) for name, session in sessions]
    return "\n".join([*rows, _row("together", durations)])


def _row(name: str, costs: dict[str, t.Any]) -> str:
    counts = [str(costs.get(key, "")) for key in ("passed", "failed", "skipped")]
    return "| " + " | ".join([name, *counts, f"{costs['wall_seconds']:.0f}", f"{costs['cpu_seconds']:.0f}"]) + " |"


def into_page(page: str, durations: dict[str, t.Any]) -> str:
    """Return a page with the table of a run between BEGIN and END. Raises ValueError where it has no such place."""
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"{PAGE.name} has no place for the table: a line {BEGIN!r} and a line {END!r}")
    day, cores = durations["started"][:10], durations["cores"]
    text = f"{BEGIN}\nThe run of {day} on {cores} cores:\n\n{table(durations)}\n{END}"
    return place.sub(lambda __: text, page)


if __name__ == "__main__":
    PAGE.write_text(into_page(PAGE.read_text(encoding="utf-8"), json.loads(DURATIONS.read_text(encoding="utf-8"))))
