# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests with real BIRDs; a test module names this one in pytest_plugins."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.birds import Bird, Birds
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace

RUN = Path("/run/bird")


@pytest.fixture(scope="session")
def run_directory() -> t.Iterator[None]:
    """Have a /run/bird to mount over."""
    made = not RUN.exists()
    RUN.mkdir(exist_ok=True)
    yield
    if made:
        RUN.rmdir()


@pytest.fixture(scope="module")
def bird_modules() -> t.Iterator[Modules]:
    """Return the modules of one Python: BIRD's do not use pyroute2."""
    found = Modules(sys.executable, None)
    yield found
    found.close()


@pytest.fixture
def birds(
    run_directory: None, new_namespace: t.Callable[[str], Namespace], bird_modules: Modules, tmp_path: Path
) -> t.Iterator[Birds]:
    """Return node1, node2 and a third host (192.0.2.13) on one wire; no BIRD is started yet."""
    wire = new_namespace("wire")
    wire.ip("link add br0 type bridge")
    wire.ip("link set br0 up")
    made = []
    for index in (1, 2, 3):
        host = new_namespace(f"node{index}")
        host.ip(f"link add eth0 type veth peer name port{index} netns {wire.name}")
        wire.ip(f"link set port{index} master br0 up")
        host.ip("link set eth0 addrgenmode none up")
        host.ip(f"addr add 192.0.2.1{index}/24 dev eth0")
        host.ip(f"addr add 2001:db8::1{index}/64 dev eth0 nodad")
        made.append(Bird(host, tmp_path / f"node{index}", bird_modules))
    yield made[0], made[1], made[2]
    for bird in made:
        bird.stop()
