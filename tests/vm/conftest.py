# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs of kind vm for the tests here: they use what the lab and the scenarios have. Needs root."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest

HERE: t.Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE.parent / "scenarios"), str(HERE)]

from machines import Machines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs namespaces where the user is not root."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="module")
def machines() -> t.Iterator[Machines]:
    """Return two machines in one subnet, which a test brings up in the mode it needs."""
    found = Machines(f"vm{os.getpid()}", 2)
    try:
        yield found
    finally:
        found.stage.down()
