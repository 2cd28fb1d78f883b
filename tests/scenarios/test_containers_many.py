# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers on a node: different addresses, nothing left, and none that fails while its plugins are changed."""

from __future__ import annotations

import json
import typing as t

import pytest
from containers import FOREVER, PORT, Podman, container_runtimes, left
from crowd import BIN_DIR, LEASES, Release, Turnover, cni_plugins, directly, releases, remove_all, together, wide
from snapshot import take
from stage import Stage

SOME, MANY = 60, 200
CHANGES = 2  # beside those by the role; the benchmarks make twenty


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """Return an older and a newer release of the plugins."""
    try:
        return releases(tmp_path_factory.mktemp("plugins"))
    except cni_plugins.Unavailable as error:
        pytest.skip(str(error))


def deploy(stage: Stage, release: Release) -> None:
    """Deploy with plugins of an archive, for Podman, in blocks with room for all containers."""
    variables = {"cni_runtime": "podman", **release.variables()}
    stage.succeed("deploy", "-e", json.dumps(variables), inventory=wide(stage))


@pytest.fixture(scope="module")
def podman(stage: Stage, versions: list[Release]) -> t.Iterator[Podman]:
    """Have a node with Podman and the older plugins."""
    stage.fresh(1)
    engine = Podman(stage, "node1")
    try:
        engine.install()
        deploy(stage, versions[0])
        engine.load()
        yield engine
    except container_runtimes.Unavailable as error:
        pytest.skip(str(error))
    finally:
        engine.end()


@pytest.mark.parametrize("count", [SOME, pytest.param(MANY, marks=pytest.mark.nightly)])
def test_many_at_the_same_time_by_the_plugins_themselves(podman: Podman, count: int) -> None:
    addresses = directly(podman.stage, podman.node, count, BIN_DIR)
    assert len(set(addresses)) == count
    assert podman.stage.ask(podman.node, LEASES) == ""


def test_no_container_fails_while_plugins_are_changed(podman: Podman, versions: list[Release]) -> None:
    stage, (older, newer) = podman.stage, versions
    podman.start("first", *FOREVER, ports={9000: PORT}).remove()
    before = take(stage)
    with Turnover(podman) as turnover:
        deploy(stage, newer)
        for number in range(CHANGES):
            assert (newer, older)[number % 2 == 0].put(stage, podman.node)["changed"]
    assert turnover.failures == []
    assert turnover.done > CHANGES
    assert podman.names() == []
    assert left(before, take(stage)) == []


@pytest.mark.nightly
def test_two_hundred_containers_at_the_same_time(podman: Podman) -> None:
    before = take(podman.stage)
    boxes, addresses = together(podman, MANY)
    assert len(set(addresses)) == MANY
    remove_all(boxes)
    assert podman.stage.ask(podman.node, LEASES) == ""
    assert left(before, take(podman.stage)) == []
