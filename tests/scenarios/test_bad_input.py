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


def _elsewhere(group: Group) -> None:
    for name, address in (("node2", "203.0.113.9/24"), ("node3", "203.0.113.10/24")):
        group["hosts"][name]["calico_node_address"] = address


def _not_by_this_kernel(group: Group) -> None:
    group["vars"]["calico_ip_pools"] = [{"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "IPIP"}]
    group["vars"]["calico_mtu"] = 1481


def _a_lonely_reflector(group: Group) -> None:
    group["vars"]["calico_ip_pools"] = [{"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "None"}]
    group["hosts"]["node2"]["calico_node_route_reflector_cluster_id"] = "192.0.2.12"


# What hosts say of themselves, and the last of all that is looked at; tests/unit/test_refusals.py has the other texts.
CASES: t.Final = {
    "addresses that no interface has": (
        _elsewhere,
        [
            "2 problems",
            'look at host node2: calico_node_address "203.0.113.9/24" is on no interface',
            "192.0.2.12/24 (eth0)",
            'look at host node3: calico_node_address "203.0.113.10/24" is on no interface',
            "192.0.2.13/24 (eth0)",
            "Correct it, or leave it out",
        ],
    ),
    "IPIP on a kernel without it, and an MTU that does not fit": (
        _not_by_this_kernel,
        [
            "4 problems",
            'IPPool "main": encapsulation IPIP needs the kernel module ipip',
            "the kernel of node1, node2, node3 does not have",
            "set the pool's encapsulation to VXLAN or VXLANCrossSubnet",
            *(
                f'plan node "node{n}": calico_mtu is 1481, but eth0 carries 1500 bytes, of which ipip leaves 1480'
                for n in (1, 2, 3)
            ),
        ],
    ),
    "a route reflector without peers": (
        _a_lonely_reflector,
        [
            'Node "node2": node2: no mesh and no BGPPeer gives a session',
            "route reflectors, as node2, take no part in the mesh",
            "name the node in calico_allow_cut_off",
        ],
    ),
}


@pytest.fixture(scope="module")
def nodes(stage: Stage) -> Stage:
    """Have three fresh nodes."""
    stage.fresh(3)
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
