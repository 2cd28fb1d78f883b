# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for the scenarios, handed from file to file, or one for each worker of pytest-xdist. Needs root."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest

HERE: t.Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE)]

from stage import Stage

# Files that follow each other on one worker, since the first leaves a lab that the next ones can use.
TOGETHER: t.Final = ("check_mode", "audit", "cni", "drift")
# Files that take longest start first, so that workers end at about the same time.
LONGEST: t.Final = (*TOGETHER, "switch", "change_bgp", "fabrics", "remove_node", "modes", "reset", "containers_many")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the scenarios, group them for --dist loadgroup, and skip them where the user is not root."""
    for item in items:
        if not (name := _scenario(item)):
            continue
        item.add_marker(pytest.mark.xdist_group("scenario_" + (TOGETHER[0] if name in TOGETHER else name)))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))
    items.sort(key=lambda item: LONGEST.index(_scenario(item)) if _scenario(item) in LONGEST else len(LONGEST))


def _scenario(item: pytest.Item) -> str:
    """Return the name of a test's file, empty for one that is not of this folder."""
    return item.path.stem.removeprefix("test_") if item.path.resolve().parent == HERE else ""


@pytest.fixture(scope="session")
def stage() -> t.Iterator[Stage]:
    """Return the lab of this process, whose nodes may be those that an earlier file has left; see Stage.deployed."""
    scene = Stage(f"scene{os.getpid()}")
    try:
        yield scene
    finally:
        scene.down()
