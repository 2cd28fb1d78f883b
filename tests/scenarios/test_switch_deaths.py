# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of modes whose control dies: it is run again, or called off, and nothing is lost."""

from __future__ import annotations

import random

import pytest
from stage import Stage
from switching import QUICK, Pods, deploy, devices, nothing_lost, wish

from ansible_collections.podnet.calico.tests.tools.seeds import seed

pytestmark = pytest.mark.nightly

# One run after the other is killed in a later phase: when a batch has moved, and when the new modes are stored.
DEATHS = ("Take the new path to all nodes", "Describe the network to the container runtime")
ANYWHERE = (
    *("Claim the addresses of new tunnels, and release none", "Make probe pods", "Configure the data path"),
    *("Ping all nodes by the new path, which only probe pods take", "Note that this node has moved"),
    "Take the new path to all nodes",
    "Describe the network to the container runtime",
)


@pytest.fixture(scope="module")
def pods(stage: Stage) -> Pods:
    """Have VXLAN."""
    return deploy(stage, "VXLAN")


def test_a_run_that_dies_is_run_again(stage: Stage, pods: Pods) -> None:
    wish(stage, "None")
    with nothing_lost(stage, pods):
        for task in DEATHS:
            assert stage.play_until("switch_encapsulation", task, *QUICK).status == -9
        stage.succeed("switch_encapsulation", *QUICK)
    assert set(devices(stage, "node2", pods).values()) == {"eth0"}
    assert stage.ask("node2", "ip -o link show type vxlan") == ""
    again = stage.succeed("switch_encapsulation")
    assert "had the modes of the inventory already" in again.output
    assert {line.partition(" : ")[2] for line in again.changed} == {"Make probe pods", "Remove probe pods"}


def test_a_change_that_was_begun_is_called_off(stage: Stage, pods: Pods) -> None:
    wish(stage, "VXLAN")
    with nothing_lost(stage, pods):
        assert stage.play_until("switch_encapsulation", "Take the new path to all nodes", *QUICK).status == -9
        wish(stage, "None")
        stage.succeed("switch_encapsulation", *QUICK)
    assert set(devices(stage, "node1", pods).values()) == {"eth0"}


def test_a_node_that_had_just_moved_would_boot_into_the_mode_in_force(stage: Stage, pods: Pods) -> None:
    """What a boot would bring is there already when the first node has moved."""
    wish(stage, "VXLAN")
    with nothing_lost(stage, pods):
        assert stage.play_until("switch_encapsulation", "Note that this node has moved", *QUICK).status == -9
        before = stage.ask("node1", "ip route; ip -6 route")
        assert "dev vxlan.calico" in before
        stage.ask("node1", "sh /etc/podnet-calico/restore")
        assert stage.ask("node1", "ip route; ip -6 route") == before
        wish(stage, "None")
        stage.succeed("switch_encapsulation", *QUICK)


@pytest.mark.parametrize("encapsulation", ["VXLAN", "None"] * 2)
def test_a_run_that_dies_anywhere_is_run_again(stage: Stage, pods: Pods, encapsulation: str) -> None:
    task = random.Random(seed()).choice(ANYWHERE)  # noqa: S311 (nothing is kept secret)
    print(f"killed at {task}")
    wish(stage, encapsulation)
    with nothing_lost(stage, pods):
        assert stage.play_until("switch_encapsulation", task, *QUICK).status == -9
        stage.succeed("switch_encapsulation", *QUICK)
    assert set(devices(stage, "node2", pods).values()) == (
        {"eth0"} if encapsulation == "None" else {"vxlan.calico", "vxlan-v6.calico"}
    )
