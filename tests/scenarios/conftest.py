# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for the scenarios: one per test module, under a name of its own, taken down at the end. Needs root."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest

HERE: t.Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE)]

from stage import Stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs namespaces where the user is not root."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="module")
def stage() -> t.Iterator[Stage]:
    """Return a stage without nodes: a test brings its lab up in the shape it needs."""
    scene = Stage(f"scene{os.getpid()}")
    try:
        yield scene
    finally:
        scene.down()
