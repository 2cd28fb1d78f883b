# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused with every problem named."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import plan_all
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    THREE_NODES,
    Snapshot,
    cluster,
    document,
    pool,
    seen,
)

ROUTER = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513)


def refusal(stored: Snapshot, hosts: dict[str, t.Any], bgp: str = "auto") -> str:
    with pytest.raises(InvalidInput) as caught:
        plan_all(stored, hosts, bgp)
    return str(caught.value)


def test_ipip_on_a_kernel_without_it(golden: t.Callable[[str, str], None]) -> None:
    hosts = seen()
    hosts["node2"]["encapsulations"] = ["vxlan"]
    golden("errors/kernel-without-ipip.txt", refusal(cluster(pool(encapsulation="IPIP")), hosts))


def test_direct_routes_across_subnets(golden: t.Callable[[str, str], None]) -> None:
    golden("errors/none-across-subnets.txt", refusal(cluster(pool(encapsulation="None")), seen()))


def test_direct_routes_across_subnets_with_a_router_that_knows() -> None:
    plan_all(cluster(pool(encapsulation="None"), extra=[ROUTER]), seen(), "auto")
    text = refusal(cluster(pool(encapsulation="None"), extra=[ROUTER]), seen(), "disabled")
    assert "are in different subnets" in text


def test_an_address_that_is_not_the_nodes() -> None:
    hosts = seen()
    hosts["node1"]["address"] = "192.0.2.11/25"
    text = refusal(cluster(pool()), hosts)
    assert 'plan node "node1": spec.bgp.ipv4Address is 192.0.2.11/24, but the host has 192.0.2.11/25' in text


def test_a_host_without_node_and_a_cluster_without_pool_are_told_together() -> None:
    text = refusal(cluster(), {**seen(), "node9": seen({"node9": "192.0.2.19/24"})["node9"]})
    assert text.startswith("2 problems:")
    assert "there is no IPPool" in text
    assert 'there is no Node "node9" in the datastore' in text


FIELDS: dict[str, t.Any] = {"nextHopMode": "Self", "ttlSecurity": 1, "keepaliveTime": "20s", "localASNumber": 64600}


@pytest.mark.parametrize("field", FIELDS)
def test_fields_of_peers_that_would_be_lost(field: str) -> None:
    peer = document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513, **{field: FIELDS[field]})
    text = refusal(cluster(pool(), extra=[peer]), seen())
    assert f'BGPPeer "router": spec.{field} cannot be put into BIRD' in text


def test_a_pool_of_an_ip_version_that_nodes_lack() -> None:
    text = refusal(cluster(pool(), pool("six", "fd00::/64")), seen())
    assert 'IPPool "six": spec.cidr fd00::/64 is IPv6, but node1, node2, node3 have no IPv6 address' in text
    assert "Set calico_node_address to an IPv6 address" in text


def test_good_clusters_pass() -> None:
    assert set(plan_all(cluster(pool(encapsulation="IPIPCrossSubnet")), seen(), "auto")) == set(THREE_NODES)
