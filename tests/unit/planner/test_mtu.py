# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MTU that the inventory asks for: what it sets, and what is refused."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, cluster, plan_all, pool, seen

NODES: t.Mapping[str, str] = types.MappingProxyType({"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"})
BOTH = [pool("four", "10.1.0.0/16", "IPIP"), pool("other", "10.2.0.0/16", "VXLAN")]
OLD = pool("old", "10.9.0.0/16", "VXLAN", disabled=True)
SIX = {"node1": "2001:db8::11/64", "node2": "2001:db8::12/64"}

# By pools and the MTU that is asked for: those of pods and of tunnels.
SET: dict[str, tuple[list[Document], int | None, int, dict[str, int]]] = {
    "derived": (BOTH, None, 1450, {"tunl0": 1480, "vxlan.calico": 1450}),
    "smaller than both": (BOTH, 1400, 1400, {"tunl0": 1400, "vxlan.calico": 1400}),
    "the largest": ([BOTH[0]], 1480, 1480, {"tunl0": 1480}),
    "no tunnel": ([pool(encapsulation="None")], 1400, 1400, {}),
    "pods of a disabled pool need room too": ([pool(encapsulation="None"), OLD], None, 1450, {}),
}


def planned(pools: list[Document], mtu: int | None, underlay: int = 1500, nodes: t.Mapping[str, str] = NODES) -> t.Any:
    hosts = seen(nodes, underlay, **({"pod_mtu": mtu} if mtu else {}))
    return plan_all(cluster(*pools, nodes=nodes), hosts, "auto")["node1"]


@pytest.mark.parametrize(("pools", "asked", "pods", "tunnels"), SET.values(), ids=SET)
def test_what_an_mtu_sets(pools: list[Document], asked: int | None, pods: int, tunnels: dict[str, int]) -> None:
    made = planned(pools, asked)
    assert made["cni"]["mtu"] == pods
    assert {tunnel["name"]: tunnel["mtu"] for tunnel in made["tunnels"]} == tunnels


# By pools, MTU asked for, that of the underlay, and nodes: what is said.
REFUSED: dict[str, tuple[list[Document], int | None, int, dict[str, str], str]] = {
    "larger than fits": (
        [BOTH[1]],
        1451,
        1500,
        NODES,
        'plan node "node1": calico_mtu is 1451, but eth0 carries 1500 bytes, of which vxlan leaves 1450 to pods. '
        "Set it to 1450 or less, raise the MTU of eth0, or leave calico_mtu out",
    ),
    "two encapsulations": (BOTH, 1480, 1500, NODES, "of which ipip, vxlan leaves 1450"),
    "larger than the device": ([pool(encapsulation="None")], 1501, 1500, NODES, "no encapsulation leaves 1500"),
    "too small": ([BOTH[1]], 575, 1500, NODES, "calico_mtu is 575, but IPv4 needs an MTU of 576"),
    "too small for IPv6": (
        [pool(cidr="fd00::/64")],
        1279,
        1500,
        SIX,
        "calico_mtu is 1279, but IPv6 needs an MTU of 1280. Set calico_mtu to 1280 or more",
    ),
    "an underlay too small for IPv6": (
        [pool(cidr="fd00::/64")],
        None,
        1300,
        SIX,
        "eth0 carries 1300 bytes, and pods would get 1230, but IPv6 needs an MTU of 1280. Raise the MTU of eth0",
    ),
}


@pytest.mark.parametrize(("pools", "asked", "underlay", "nodes", "said"), REFUSED.values(), ids=REFUSED)
def test_an_mtu_that_cannot_work(
    pools: list[Document], asked: int | None, underlay: int, nodes: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        planned(pools, asked, underlay, nodes)
    assert said in str(caught.value)
    assert 'plan node "node2"' in str(caught.value), "of all nodes at once"
