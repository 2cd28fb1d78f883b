# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories that cannot work are refused with option, value and remedy, before any node is touched."""

from __future__ import annotations

import typing as t

import pytest
from snapshot import differences, take
from stage import Stage

Group = t.Dict[str, t.Any]


def _pool(**options: t.Any) -> dict[str, t.Any]:
    return {"name": "main", "cidr": "10.244.0.0/16", "block_size": 26, "encapsulation": "VXLAN", **options}


def _pools(*pools: dict[str, t.Any]) -> t.Callable[[Group], None]:
    def change(group: Group) -> None:
        group["vars"]["calico_ip_pools"] = list(pools)

    return change


def _both_modes(group: Group) -> None:
    pool = _pool(ipip_mode="Always", vxlan_mode="CrossSubnet")
    del pool["encapsulation"]
    group["vars"]["calico_ip_pools"] = [pool]


def _node(name: str, **variables: str) -> t.Callable[[Group], None]:
    def change(group: Group) -> None:
        group["hosts"][name].update(variables)

    return change


CASES: t.Final = {
    "overlapping pools": (
        _pools(_pool(), _pool(name="second", cidr="10.244.128.0/17")),
        ['IPPool "main": spec.cidr "10.244.0.0/16"', 'overlaps "10.244.128.0/17" of IPPool "second"', "Choose a range"],
    ),
    "a pool smaller than its blocks": (
        _pools(_pool(cidr="10.244.0.0/28")),
        ['spec.cidr "10.244.0.0/28" is smaller than one block', "blockSize 26", "Use a range of /26 or larger"],
    ),
    "host bits": (
        _pools(_pool(cidr="10.244.0.1/16")),
        ['spec.cidr "10.244.0.1/16" has host bits set', "Use 10.244.0.0/16"],
    ),
    "IPIP and VXLAN in one pool": (
        _both_modes,
        ['IPPool "main": ipip_mode "Always" contradicts vxlan_mode "CrossSubnet"', "Set one of them to"],
    ),
    "an address that no interface has": (
        _node("node2", calico_node_address="203.0.113.9/24"),
        [
            "look at host node2",
            'calico_node_address "203.0.113.9/24" is on no interface',
            "192.0.2.12/24 (eth0)",
            "Correct it, or leave it out",
        ],
    ),
    "two hosts with one node name": (
        _node("node3", calico_node_name="node2"),
        ['hosts node2 and node3 have one calico_node_name, "node2"', "Give each host its own"],
    ),
    "two hosts with one address": (
        _node("node2", calico_node_address="192.0.2.11/24"),
        ['"192.0.2.11" is an address of Node "node1" too', "Give every node addresses of its own"],
    ),
    "more nodes than blocks": (
        _pools(_pool(cidr="10.244.0.0/26")),
        ['block for node "node2" of pool "main" (10.244.0.0/26, 1 blocks of /26): no block is free', "Add a pool"],
    ),
    "a selector that is none": (
        _pools(_pool(node_selector="rack = 'r1'")),
        ["spec.nodeSelector \"rack = 'r1'\" is not a selector", 'Compare with two signs: label == "value"'],
    ),
    "IPIP on a kernel without it": (
        _pools(_pool(encapsulation="IPIP")),
        [
            'IPPool "main": encapsulation IPIP needs the kernel module ipip',
            "the kernel of node1, node2, node3 does not have",
            "set the pool's encapsulation to VXLAN or VXLANCrossSubnet",
        ],
    ),
}


@pytest.fixture(scope="module")
def nodes(stage: Stage) -> Stage:
    """Have three fresh nodes; node2 has the address of node1, too, which nothing uses."""
    stage.fresh(3)
    stage.ask("node2", "ip addr add 192.0.2.11/24 dev lo")
    return stage


@pytest.mark.parametrize(("change", "words"), CASES.values(), ids=CASES.keys())
def test_it_is_refused_by_name_and_nothing_is_touched(
    nodes: Stage, change: t.Callable[[Group], None], words: list[str]
) -> None:
    before = take(nodes)
    played = nodes.play("deploy", inventory=nodes.changed_inventory(change))
    assert played.status != 0, played.output
    message = "\n".join(played.failures)
    assert [word for word in words if word not in message] == [], message
    assert played.changed == []
    assert differences(before, take(nodes)) == []
