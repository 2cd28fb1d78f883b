# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of tests from JUnit files, and the table of costs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.tools import durations
from ansible_collections.podnet.calico.tests.tools.durations import Counts

CASE = '<testcase classname="tests.a" name="{name}">{inside}</testcase>'
PASSED = CASE.format(name="one", inside="<properties />")
FAILED = CASE.format(name="two", inside='<failure message="x" />')
# pytest writes a test that failed and whose teardown failed, too, as two cases of one name.
TEARDOWN = CASE.format(name="two", inside='<error message="y" />')
SKIPPED = CASE.format(name="three", inside='<skipped type="pytest.skip" message="needs root" />')
RUN = {
    "started": "2026-01-02T03:04:05+00:00",
    "cores": 2,
    "wall_seconds": 70.4,
    "cpu_seconds": 90.0,
    "passed": 3,
    "failed": 0,
    "skipped": 1,
    "sessions": {
        "bootstrap": {"wall_seconds": 30.2, "cpu_seconds": 20.0},
        "units": {"wall_seconds": 40.2, "cpu_seconds": 70.0, "passed": 3, "failed": 0, "skipped": 1},
    },
}
TABLE = """\
| session | passed | failed | skipped | wall s | CPU s |
|---|---|---|---|---|---|
| `units` | 3 | 0 | 1 | 40 | 70 |
| `bootstrap` |  |  |  | 30 | 20 |
| together | 3 | 0 | 1 | 70 | 90 |"""


def junit(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("cases", "line"),
    [
        ((PASSED,), "1 passed, 0 failed, 0 skipped"),
        ((PASSED, FAILED), "1 passed, 1 failed, 0 skipped"),
        ((FAILED, TEARDOWN), "0 passed, 1 failed, 0 skipped"),
        ((PASSED, SKIPPED, SKIPPED), "1 passed, 0 failed, 2 skipped (2: needs root)"),
    ],
)
def test_cases_are_counted(cases: tuple[str, ...], line: str) -> None:
    assert durations.of_junit(junit(*cases)).line() == line


def test_counts_are_added_by_reason() -> None:
    one, two = Counts(1, 0, Counter({"needs root": 1, "no BIRD 3.1": 2})), Counts(2, 1, Counter({"needs root": 4}))
    assert (one + two).line() == "3 passed, 1 failed, 7 skipped (5: needs root; 2: no BIRD 3.1)"


@pytest.mark.parametrize(
    ("cases", "status", "passed", "failed"),
    [
        (None, 0, 1, 0),  # no pytest run
        (None, 1, 0, 1),
        ((PASSED,), 0, 1, 0),
        ((PASSED, FAILED), 1, 1, 1),
        ((PASSED,), 1, 1, 1),  # something else of the session failed, or a process was left running
    ],
)
def test_a_session_that_fails_is_counted(
    tmp_path: Path, cases: tuple[str, ...] | None, status: int, passed: int, failed: int
) -> None:
    path = tmp_path / "units.xml"
    if cases is not None:
        path.write_text(junit(*cases))
    found = durations.of_session(path, status)
    assert (found.passed, found.failed) == (passed, failed)


def test_the_table_has_the_most_expensive_first_and_a_sum() -> None:
    assert durations.table(RUN) == TABLE


def test_the_page_gets_the_table_of_the_run_in_its_place() -> None:
    page = f"before\n{durations.BEGIN}\nold\n{durations.END}\nafter\n"
    once = durations.into_page(page, RUN)
    wanted = f"before\n{durations.BEGIN}\nThe run of 2026-01-02 on 2 cores:\n\n{TABLE}\n{durations.END}\nafter\n"
    assert once == wanted
    assert durations.into_page(once, RUN) == once
    with pytest.raises(ValueError, match="has no place for the table"):
        durations.into_page("another page", RUN)
