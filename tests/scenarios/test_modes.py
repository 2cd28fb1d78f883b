# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab changes its encapsulation and back; and a deployment that is killed is repaired by the next one."""

from __future__ import annotations

import re

import pytest
from snapshot import differences, take
from stage import Stage


@pytest.fixture(scope="module")
def blocks(stage: Stage) -> dict[str, str]:
    """Have two nodes with VXLAN and return their blocks."""
    stage.fresh(2)
    stage.succeed("deploy")
    return {name: re.findall(r"blackhole (\S+)", stage.ask(name, "ip route"))[0] for name in stage.names}


def routes(stage: Stage, node: str) -> set[str]:
    """Return the routes to pods as ip shows them."""
    return {line for line in stage.lines(node, "ip route") if "10.244." in line}


def vtep(stage: Stage, node: str) -> str:
    """Return the address of a node's VXLAN device; a new one gets the next of the block, as in Calico."""
    shown = stage.ask(node, "ip -4 -o addr show dev vxlan.calico")
    return re.findall(r"inet (\S+)/32 ", shown)[0]


def expected(stage: Stage, blocks: dict[str, str], node: str, encapsulation: str) -> set[str]:
    """Return the routes that a node shall have."""
    found = set()
    for index, (name, block) in enumerate(blocks.items(), start=11):
        if encapsulation == "VXLAN":
            own, path = "proto podnet", f"via {vtep(stage, name)} dev vxlan.calico proto podnet onlink"
        else:
            own, path = "proto bird metric 32", f"via 192.0.2.{index} dev eth0 proto bird metric 32"
        found.add(f"blackhole {block} {own}" if name == node else f"{block} {path}")
    return found


def check(stage: Stage, blocks: dict[str, str], encapsulation: str) -> None:
    """Compare routes, tunnels and daemons of all nodes with what the encapsulation asks for, and nothing of another."""
    vxlan = encapsulation == "VXLAN"
    for name in stage.names:
        assert routes(stage, name) == expected(stage, blocks, name, encapsulation)
        assert ("vxlan.calico" in stage.ask(name, "ip -o link show type vxlan")) == vxlan
        assert (stage.run(name, "pgrep -x bird").returncode == 0) != vxlan
        files = stage.run(name, "ls /etc/bird/podnet-calico.conf /etc/systemd/system/bird.service.d/*").stdout.split()
        assert len(files) == (0 if vxlan else 2)


@pytest.mark.parametrize("encapsulation", ["None", "VXLAN"])
def test_another_encapsulation_leaves_nothing_of_the_one_before(
    stage: Stage, blocks: dict[str, str], encapsulation: str
) -> None:
    stage.up(2, encapsulation)
    stage.succeed("deploy")
    check(stage, blocks, encapsulation)
    stage.succeed("verify")


@pytest.mark.parametrize(
    ("encapsulation", "task"),
    [("None", "Claim blocks and tunnel addresses"), ("VXLAN", "Configure tunnels"), ("None", "Configure BIRD")],
)
def test_killed_deployment_is_repaired_by_the_next_one(
    stage: Stage, blocks: dict[str, str], encapsulation: str, task: str
) -> None:
    stage.up(2, encapsulation)
    killed = stage.play_until("deploy", task)
    assert killed.status == -9
    stage.succeed("deploy")
    check(stage, blocks, encapsulation)


def test_nothing_is_left_of_all_this(stage: Stage, blocks: dict[str, str]) -> None:
    before = take(stage)
    assert stage.succeed("deploy").changed == []
    assert differences(before, take(stage)) == []
    stage.succeed("verify")
