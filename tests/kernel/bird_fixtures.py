# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests with real BIRDs; a test module names this one in pytest_plugins."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.birds import THREE, Bird, Birds, planned, start_mesh
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

RUN = Path("/run/bird")


@pytest.fixture
def birds(new_namespace: t.Callable[[str], Namespace], modules: Modules, tmp_path: Path) -> t.Iterator[Birds]:
    """Return node1, node2 and a third host (192.0.2.13) on one wire; no BIRD is started yet."""
    RUN.mkdir(exist_ok=True)  # to mount over
    wire = new_namespace("wire")
    wire.batch("link add br0 type bridge", "link set br0 up")
    made = []
    with contextlib.ExitStack() as stack:
        for index in (1, 2, 3):
            host = new_namespace(f"node{index}")
            host.ip(f"link add eth0 type veth peer name port{index} netns {wire.name}")
            wire.ip(f"link set port{index} master br0 up")
            host.batch(
                "link set eth0 addrgenmode none up",
                f"addr add 192.0.2.1{index}/24 dev eth0",
                f"addr add 2001:db8::1{index}/64 dev eth0 nodad",
            )
            made.append(Bird(host, tmp_path / f"node{index}", modules))
            stack.callback(made[-1].stop)
        yield made[0], made[1], made[2]


@pytest.fixture
def mesh(birds: Birds) -> tuple[Bird, Result]:
    """Return node1 of a mesh of three, and its parameters."""
    plan = planned(nodes=THREE)
    start_mesh(birds, plan)
    return birds[0], plan["node1"]
