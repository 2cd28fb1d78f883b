# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node comes, and new machines take its place: what that changes on the other nodes, whose pods notice nothing."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from pod_pings import Pings, make_pods
from stage import Played, Stage

pytestmark = pytest.mark.nightly

WORKER = "worker"
POOLS = [
    {"name": "default-ipv4-ippool", "cidr": "10.244.0.0/16", "encapsulation": "VXLAN", "nat_outgoing": True},
    {"name": "direct", "cidr": "10.245.0.0/16", "encapsulation": "None"},
]


def with_worker(stage: Stage, machine: str | None, address: str = "") -> Path:
    """Return an inventory of node1, node3, and a node of another name on a machine, both of which have two pools."""

    def change(group: dict[str, t.Any]) -> None:
        hosts = {name: group["hosts"][name] for name in ("node1", "node3")}
        if machine:
            own = {"calico_node_name": WORKER, **({"calico_node_address": address} if address else {})}
            hosts[machine] = {**group["hosts"][machine], **own}
        group["hosts"] = hosts
        group["vars"]["calico_ip_pools"] = POOLS

    return stage.changed_inventory(change)


def changed_on(played: Played, node: str) -> list[str]:
    """Return the tasks that changed something on a node."""
    return [line.rpartition(" : ")[2] for line in played.changed if line.startswith(f"{node}: ")]


def seen_on(stage: Stage, node: str, word: str) -> list[str]:
    """Return where a word is found on a node: routes, neighbours, forwarding entries, BIRD's configuration."""
    commands = "ip route show table all; ip neigh show nud permanent; bridge fdb show; cat /etc/bird/podnet-calico.conf"
    return [line for line in stage.lines(node, commands) if re.search(rf"(?<![\d.]){re.escape(word)}(?!\d)", line)]


@pytest.fixture(scope="module")
def pods(stage: Stage) -> dict[str, str]:
    """Have two deployed nodes with a pod each, and machines beside them."""
    stage.fresh(5)
    stage.succeed("deploy", inventory=with_worker(stage, None))
    names, stage.names = stage.names, ["node1", "node3"]
    made = make_pods(stage)
    stage.names = names
    return made


def test_a_node_comes_and_new_machines_take_its_place(stage: Stage, pods: dict[str, str]) -> None:
    with Pings(stage, pods) as others:
        come = stage.succeed("deploy", inventory=with_worker(stage, "node2"))
        follow = {"Configure the data path", "Configure BIRD"}
        assert set(changed_on(come, "node3")) == follow
        blocks = re.findall(r"blackhole (\S+)", stage.ask("node2", "ip route"))

        stage.kill("node2")
        moved = stage.succeed("deploy", inventory=with_worker(stage, "node4"))
        assert set(changed_on(moved, "node3")) == follow
        assert re.findall(r"blackhole (\S+)", stage.ask("node4", "ip route")) == blocks
        for name in ("node1", "node3"):
            assert seen_on(stage, name, "192.0.2.12") == []
            assert len(seen_on(stage, name, "192.0.2.14")) > 1
        assert "192.0.2.12" not in stage.ask("node1", "cat /etc/podnet-calico/datastore/*/*")
        assert "All 12 pairs answer" in stage.succeed("verify", inventory=with_worker(stage, "node4")).output

        stage.kill("node4")
        stage.ask("node5", "ip addr del 192.0.2.15/24 dev eth0; ip addr add 192.0.2.14/24 dev eth0")
        same = with_worker(stage, "node5", "192.0.2.14/24")
        replaced = stage.succeed("deploy", inventory=same)
        assert changed_on(replaced, "node3") == []
        assert "All 12 pairs answer" in stage.succeed("verify", inventory=same).output
    assert others.lost == {}
