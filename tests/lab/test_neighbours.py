# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How several labs size the one neighbour table of a kernel, with files in the place of the kernel's."""

from __future__ import annotations

import typing as t
from pathlib import Path

import neighbours
import pytest
from settings import Lab

OLD: t.Final = [128, 512, 1024]
ONE, OTHER = Lab("one"), Lab("other")


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[], list[int]]:
    """Have limits as a kernel has them at its start; return a function that reads those of IPv4."""
    monkeypatch.setattr(neighbours, "LIMITS", tmp_path)
    monkeypatch.setattr(neighbours, "RECORD", tmp_path / "record.json")
    for version in ("ipv4", "ipv6"):
        folder = tmp_path / version / "neigh" / "default"
        folder.mkdir(parents=True)
        for number, value in enumerate(OLD, start=1):
            (folder / f"gc_thresh{number}").write_text(f"{value}\n")
    return lambda: [int(path.read_text()) for path in sorted(tmp_path.glob("ipv4/neigh/default/*"))]


@pytest.mark.parametrize(("nodes", "factor"), [(3, 1), (23, 2), (50, 6)])
def test_limits_grow_in_proportion_and_only_when_needed(nodes: int, factor: int) -> None:
    assert neighbours.raised(OLD, neighbours.wanted(nodes)) == [factor * value for value in OLD]


@pytest.mark.parametrize("order", [(ONE, OTHER), (OTHER, ONE)])
def test_labs_have_room_together_and_the_last_one_puts_the_old_limits_back(
    limits: t.Callable[[], list[int]], order: tuple[Lab, Lab], tmp_path: Path
) -> None:
    neighbours.make_room(ONE, 18)
    assert limits() == OLD, "one small lab has room enough"
    neighbours.make_room(OTHER, 18)
    assert limits() == [2 * value for value in OLD], "two of them have not"
    neighbours.restore(order[0])
    assert limits() == OLD
    neighbours.restore(order[1])
    assert limits() == OLD
    assert not (tmp_path / "record.json").exists()


def test_a_lab_that_goes_takes_no_room_from_one_that_needs_it(limits: t.Callable[[], list[int]]) -> None:
    neighbours.make_room(ONE, 24)
    neighbours.make_room(OTHER, 50)
    assert limits() == [7 * value for value in OLD]
    neighbours.restore(ONE)
    assert limits() == [6 * value for value in OLD]
    neighbours.restore(OTHER)
    assert limits() == OLD


def test_limits_that_somebody_else_has_set_stay(limits: t.Callable[[], list[int]], tmp_path: Path) -> None:
    neighbours.make_room(ONE, 50)
    (tmp_path / "ipv4" / "neigh" / "default" / "gc_thresh3").write_text("9000")
    neighbours.restore(ONE)
    assert limits() == [*OLD[:2], 9000]
    neighbours.restore(ONE)
    assert limits() == [*OLD[:2], 9000], "a lab that is gone puts nothing back"
