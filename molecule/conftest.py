# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the running scenario, as Testinfra sees them, and what the tests of all scenarios need of them."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import pytest

ROOT: t.Final = Path(__file__).resolve().parents[1]
PARTS: t.Final = ("lab", "scenarios", "vm")
sys.path[:0] = [str(ROOT / "molecule" / "shared" / "tests"), *(str(ROOT / "tests" / part) for part in PARTS)]
os.environ.setdefault("PODNET_LAB_NAME", "molecule")

import cluster
from machines import Machines


@pytest.fixture(scope="session")
def nodes() -> list[cluster.Node]:
    """Return the nodes of the lab, node1 first, with their addresses and blocks."""
    return cluster.nodes()


@pytest.fixture(scope="session")
def pod_mtu() -> int:
    """Return the MTU that pods shall have: the underlay's 1500 bytes, less 50 where VXLAN is in use."""
    return {"crosssubnet": 1450, "nightly-vxlan": 1450, "nightly-none": 1500}[os.environ["MOLECULE_SCENARIO_NAME"]]


@pytest.fixture(scope="session")
def machines() -> Machines:
    """Return the lab of kind vm that the scenario has brought up and deployed."""
    return Machines(os.environ["PODNET_LAB_NAME"])
