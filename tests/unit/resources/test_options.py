# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From module options to documents."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import options

MODES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "name": ({"encapsulation": "VXLANCrossSubnet"}, {"ipipMode": "Never", "vxlanMode": "CrossSubnet"}),
    "no encapsulation": ({"encapsulation": "None"}, {"ipipMode": "Never", "vxlanMode": "Never"}),
    "mode": ({"ipip_mode": "Always"}, {"ipipMode": "Always", "vxlanMode": "Never"}),
    "mode that is off": ({"ipip_mode": "Never"}, {"ipipMode": "Never"}),
    "both in agreement": (
        {"encapsulation": "IPIP", "ipip_mode": "Always", "vxlan_mode": "Never"},
        {"ipipMode": "Always", "vxlanMode": "Never"},
    ),
}


@pytest.mark.parametrize(("given", "spec"), MODES.values(), ids=MODES)
def test_names_and_modes_mean_the_same(given: dict[str, str], spec: dict[str, str]) -> None:
    assert options.ippool({"name": "a", "cidr": None, **given})["spec"] == spec


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"encapsulation": "IPIP", "vxlan_mode": "Always"}, 'encapsulation "IPIP" contradicts vxlan_mode "Always"'),
        ({"encapsulation": "None", "ipip_mode": "Always"}, 'encapsulation "None" contradicts ipip_mode "Always"'),
        (
            {"ipip_mode": "Always", "vxlan_mode": "CrossSubnet"},
            'ipip_mode "Always" contradicts vxlan_mode "CrossSubnet"',
        ),
    ],
    ids=["name and mode", "no encapsulation and mode", "two modes"],
)
def test_contradictions_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        options.ippool({"name": "a", **given})
    assert message in caught.value.message
    assert caught.value.remedy


def test_node_addresses_go_below_bgp() -> None:
    params = {"name": "n", "labels": {"rack": "r1"}, "ipv4_address": "192.0.2.1/24", "vxlan_tunnel_mac_addr": "66:0a"}
    assert options.node(params) == {
        "apiVersion": "projectcalico.org/v3",
        "kind": "Node",
        "metadata": {"name": "n", "labels": {"rack": "r1"}},
        "spec": {"bgp": {"ipv4Address": "192.0.2.1/24"}, "vxlanTunnelMACAddr": "66:0a"},
    }


PEERS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "other end is an address": (
        {"peer_ip": "192.0.2.1", "as_number": 1},
        {"peerIP": "192.0.2.1", "peerSelector": None, "localWorkloadSelector": None, "asNumber": 1},
    ),
    "other end is nodes": (
        {"peer_selector": "all()"},
        {"peerIP": None, "peerSelector": "all()", "localWorkloadSelector": None, "asNumber": None},
    ),
    "one node": ({"node": "a"}, {"node": "a", "nodeSelector": None}),
    "neither": ({"ttl_security": 1}, {"ttlSecurity": 1}),
}


@pytest.mark.parametrize(("given", "spec"), PEERS.values(), ids=PEERS)
def test_one_way_to_say_it_removes_the_stored_others(given: dict[str, t.Any], spec: dict[str, t.Any]) -> None:
    assert options.bgp_peer({"name": "p", **given})["spec"] == spec


def test_service_ranges_and_passwords_get_the_shape_of_the_resource() -> None:
    password = {"name": "bgp", "key": "mesh", "optional": None}
    params = {"name": "default", "service_cluster_ips": ["10.96.0.0/12"], "node_mesh_password": password}
    assert options.bgp_configuration(params)["spec"] == {
        "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}],
        "nodeMeshPassword": {"secretKeyRef": {"name": "bgp", "key": "mesh"}},
    }
