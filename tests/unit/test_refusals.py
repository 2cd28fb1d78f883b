# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories that cannot work are refused with option, value and remedy: what deploy does before it touches a node.

From the variables and what the hosts answer to the module that plans; tests/scenarios/test_bad_input.py plays it.
"""

from __future__ import annotations

import types
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter import steps
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host import find_interface
from ansible_collections.podnet.calico.plugins.modules import calico_plan

Data = t.Dict[str, t.Any]
# node2 has the address of node1, too, which nothing uses.
ADDRESSES: t.Final = {
    "node1": [("192.0.2.11/24", "eth0")],
    "node2": [("192.0.2.12/24", "eth0"), ("192.0.2.11/24", "lo")],
    "node3": [("192.0.2.13/24", "eth0")],
}


def answer(host: str, address: str | None) -> Data:
    """Return what calico_host_info registers on a host without IPIP, and with no more addresses than these."""
    rows: list[Data] = [{"address": text, "device": device, "state": ""} for text, device in ADDRESSES[host]]
    try:
        row = find_interface(rows, address or rows[0]["address"])
    except InvalidInput as error:
        return {"msg": str(error)}
    seen = {
        "address": row["address"],
        "device": row["device"],
        "mtu": 1500,
        "encapsulations": ["vxlan"],
        "checks_sources": False,
    }
    seen.update(advertised=[], pod_gateway=True)
    return {"host": seen, "missing": []}


def plan(pools: list[Data], variables: dict[str, Data], datastore: Path) -> t.Any:
    """Do what the role plan does with an inventory."""
    given = {host: variables.get(host, {}) for host in ADDRESSES}
    hostvars = {host: {**own, "plan_host": answer(host, own.get("calico_node_address"))} for host, own in given.items()}
    cluster = steps.cluster(hostvars, list(hostvars), pools=pools)
    params = {
        **cluster,
        "prune_marked": "inventory",
        "bgp": "auto",
        "secrets": [],
        "allow_cut_off": [],
        "standby": False,
        "store": False,
        "compact": False,
        "transition": False,
        "guard": True,
        "datastore": {"path": str(datastore)},
    }
    return calico_plan.work(types.SimpleNamespace(params=params, check_mode=False))


def pool(**options: t.Any) -> Data:
    return {"name": "main", "cidr": "10.244.0.0/16", "block_size": 26, "encapsulation": "VXLAN", **options}


BOTH_MODES = {"name": "main", "cidr": "10.244.0.0/16", "ipip_mode": "Always", "vxlan_mode": "CrossSubnet"}
# By pools and variables of hosts: what is said.
CASES: dict[str, tuple[list[Data], dict[str, Data], list[str]]] = {
    "overlapping pools": (
        [pool(), pool(name="second", cidr="10.244.128.0/17")],
        {},
        ['IPPool "main": spec.cidr "10.244.0.0/16"', 'overlaps "10.244.128.0/17" of IPPool "second"', "Choose a range"],
    ),
    "a pool smaller than its blocks": (
        [pool(cidr="10.244.0.0/28")],
        {},
        ['spec.cidr "10.244.0.0/28" is smaller than one block', "blockSize 26", "Use a range of /26 or larger"],
    ),
    "host bits": (
        [pool(cidr="10.244.0.1/16")],
        {},
        ['spec.cidr "10.244.0.1/16" has host bits set', "Use 10.244.0.0/16"],
    ),
    "IPIP and VXLAN in one pool": (
        [BOTH_MODES],
        {},
        ['IPPool "main": ipip_mode "Always" contradicts vxlan_mode "CrossSubnet"', "Set one of them to"],
    ),
    "an address that no interface has": (
        [pool()],
        {"node2": {"calico_node_address": "203.0.113.9/24"}},
        [
            "look at host node2",
            'calico_node_address "203.0.113.9/24" is on no interface',
            "192.0.2.12/24 (eth0)",
            "Correct it, or leave it out",
        ],
    ),
    "two hosts with one node name": (
        [pool()],
        {"node3": {"calico_node_name": "node2"}},
        ['hosts node2 and node3 have one calico_node_name, "node2"', "Give each host its own"],
    ),
    "two hosts with one address": (
        [pool()],
        {"node2": {"calico_node_address": "192.0.2.11/24"}},
        ['"192.0.2.11" is an address of Node "node1" too', "Give every node addresses of its own"],
    ),
    "more nodes than blocks": (
        [pool(cidr="10.244.0.0/26")],
        {},
        ['block for node "node2" of pool "main" (10.244.0.0/26, 1 blocks of /26): no block is free', "Add a pool"],
    ),
    "a selector that is none": (
        [pool(node_selector="rack = 'r1'")],
        {},
        ["spec.nodeSelector \"rack = 'r1'\" is not a selector", 'Compare with two signs: label == "value"'],
    ),
    "IPIP on a kernel without it": (
        [pool(encapsulation="IPIP")],
        {},
        [
            'IPPool "main": encapsulation IPIP needs the kernel module ipip',
            "the kernel of node1, node2, node3 does not have",
            "set the pool's encapsulation to VXLAN or VXLANCrossSubnet",
        ],
    ),
}


@pytest.mark.parametrize(("pools", "variables", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_by_name_and_nothing_is_stored(
    pools: list[Data], variables: dict[str, Data], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises((AnsibleFilterError, InvalidInput)) as caught:
        plan(pools, variables, tmp_path / "datastore")
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert "problems:" not in message, "the one fault is all that is refused"
    assert list(tmp_path.iterdir()) == []


def test_without_a_fault_it_is_planned(tmp_path: Path) -> None:
    outcome = plan([pool()], {}, tmp_path / "datastore")
    assert list(outcome.facts["plans"]) == list(ADDRESSES)
    assert list(tmp_path.iterdir()) == []
