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
from xdist.scheduler import LoadFileScheduling

HERE: t.Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE)]

from stage import Stage

# Files that follow each other on one worker, since the first leaves a lab that the next ones can use.
TOGETHER: t.Final = ("check_mode", "audit", "cni", "drift")
# Files that take longest start first, so that workers end at about the same time.
LONGEST: t.Final = (*TOGETHER, "switch", "change_bgp", "fabrics", "remove_node", "modes", "reset", "containers_many")


class Together(LoadFileScheduling):
    """Gives the tests of a file to one worker, and those of files that share a lab, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return TOGETHER[0] if Path(file).stem.removeprefix("test_") in TOGETHER else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: t.Any) -> LoadFileScheduling | None:
    """Replace --dist loadfile by what knows which files belong together."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the scenarios, and skip them where the user is not root."""
    if os.geteuid() != 0:
        for item in filter(_scenario, items):
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
