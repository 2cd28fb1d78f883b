# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that is handed from file to file: whatever a test has changed is noticed, and nothing else."""

from __future__ import annotations

import subprocess

import pytest
from stage import Stage

CHANGES = (
    "ip route add 203.0.113.0/24 via 192.0.2.254",
    "ip link add left type bridge",
    "touch /etc/left",
    "ip netns add left",
    "nft add table inet left",
    "sysctl -qw net.ipv4.ip_forward=1",
    "sleep 1000 >/dev/null 2>&1 &",
)


@pytest.fixture(scope="module")
def kept(stage: Stage) -> Stage:
    """Have a node that is noted."""
    stage.fresh(1)
    stage.keep()
    return stage


def test_nodes_that_nobody_touched_are_handed_on(kept: Stage) -> None:
    kept.changed_inventory(lambda group: group.clear()).replace(kept.inventory)
    assert kept.is_as_kept(1)
    assert not kept.is_as_kept(2)
    assert not kept.is_as_kept(1, "None")


def test_every_change_is_noticed(stage: Stage) -> None:
    unnoticed = []
    for change in CHANGES:
        stage.fresh(1)
        stage.keep()
        subprocess.run(stage.enter("node1", "/bin/sh", "-c", change), check=True)
        unnoticed += [change] if stage.is_as_kept(1) else []
    assert unnoticed == []


def test_a_node_that_died_is_noticed(stage: Stage) -> None:
    stage.fresh(1)
    stage.keep()
    stage.kill("node1")
    assert not stage.is_as_kept(1)
