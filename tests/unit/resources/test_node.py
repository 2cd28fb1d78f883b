# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node: addresses with their prefix length, AS numbers, MAC addresses, and what is refused."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node


def document(*, labels: t.Any = None, **spec: t.Any) -> dict[str, t.Any]:
    metadata = {"name": "node1", "labels": labels}
    return {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": metadata, "spec": spec}


FULL = {
    "bgp": {
        "asNumber": "1.10",
        "ipv4Address": "192.0.2.11/24",
        "ipv6Address": "2001:DB8:0::11/64",
        "ipv4IPIPTunnelAddr": "10.244.0.1",
        "routeReflectorClusterID": "192.0.2.1",
    },
    "ipv4VXLANTunnelAddr": "10.244.0.2",
    "vxlanTunnelMACAddr": "66-0A-0b-0c-0d-0e",
    "ipv6VXLANTunnelAddr": "FD00::2",
    "vxlanTunnelMACAddrV6": "66:0A:0B:0C:0D:0F",
    "orchRefs": [{"nodeName": "node1", "orchestrator": "k8s"}],
    "wireguard": {"interfaceIPv4Address": "10.244.0.3"},
    "addresses": [{"address": "192.0.2.11/24", "type": "CalicoNodeIP"}, {"address": "192.0.2.11"}],
    "interfaces": [{"name": "eth0", "addresses": ["192.0.2.11"]}],
}


def test_values_are_typed_and_spelled_in_one_way() -> None:
    node = Node.from_document(document(labels={"rack": "r1"}, **FULL))
    assert node.labels == {"rack": "r1"}
    assert node.as_number == 65546
    assert node.ipv4_address == ipaddress.ip_interface("192.0.2.11/24")
    assert node.ipv6_address == ipaddress.ip_interface("2001:db8::11/64")
    assert node.ipv4_ipip_tunnel_addr == ipaddress.ip_address("10.244.0.1")
    assert node.route_reflector_cluster_id == "192.0.2.1"
    assert (node.vxlan_tunnel_mac_addr, node.vxlan_tunnel_mac_addr_v6) == ("66:0a:0b:0c:0d:0e", "66:0a:0b:0c:0d:0f")
    assert str(node.ipv6_vxlan_tunnel_addr) == "fd00::2"


def test_nothing_of_a_full_node_is_lost() -> None:
    canonical = Node.from_document(document(**FULL)).to_document()
    assert set(canonical["spec"]) == set(FULL)
    assert canonical["spec"]["bgp"] == {**FULL["bgp"], "asNumber": 65546, "ipv6Address": "2001:db8::11/64"}  # type: ignore[dict-item]
    for key in ("orchRefs", "wireguard", "addresses", "interfaces"):
        assert canonical["spec"][key] == FULL[key]
    assert Node.from_document(canonical).to_document() == canonical


def test_node_without_bgp_has_an_empty_spec() -> None:
    assert Node.from_document(document()).to_document()["spec"] == {}


def test_status_and_annotations_are_carried_along() -> None:
    given = document()
    given["status"] = {"wireguardPublicKey": "key"}
    given["metadata"]["annotations"] = {"example.com/owner": "team a"}
    canonical = Node.from_document(given).to_document()
    assert canonical["status"] == {"wireguardPublicKey": "key"}
    assert canonical["metadata"]["annotations"] == {"example.com/owner": "team a"}


INVALID = {
    "empty bgp": ({"bgp": {}}, "spec.bgp {} is empty", "at least one address"),
    "no address": ({"bgp": {"ipv4Address": "192.0.2.x"}}, 'spec.bgp.ipv4Address "192.0.2.x"', "Give one address"),
    "BGP with nothing in it": ({"bgp": {"asNumber": None}}, "spec.bgp", "leave bgp out"),
    "wrong family": ({"bgp": {"ipv6Address": "192.0.2.11/24"}}, "is not IPv6", "2001:db8::11/64"),
    "tunnel with prefix length": ({"ipv4VXLANTunnelAddr": "10.0.0.1/32"}, "is not an IPv4 address", "without prefix"),
    "AS below zero": ({"bgp": {"asNumber": -1}}, "spec.bgp.asNumber -1 is not an AS number", "from 1 to"),
    "AS too large": ({"bgp": {"asNumber": 2**32}}, "is not an AS number", "4294967295"),
    "AS half too large": ({"bgp": {"asNumber": "1.65536"}}, "is not an AS number", "from 1 to"),
    "AS as a float": (
        {"bgp": {"asNumber": 1.1}},
        "spec.bgp.asNumber 1.1 is not an AS number",
        'quotes, for example "1.10"',
    ),
    "AS as a boolean": ({"bgp": {"asNumber": True}}, "is not an AS number", "from 1 to"),
    "MAC": ({"vxlanTunnelMACAddr": "66:0a"}, "is not a MAC address", "66:0a:0b"),
    "cluster ID": ({"bgp": {"routeReflectorClusterID": "rr"}}, "is not an IPv4 address", "one address"),
    "unknown bgp field": (
        {"bgp": {"ipv4Adress": "192.0.2.1/24"}},
        "spec.bgp.ipv4Adress is not a field",
        "ipv4Address?",
    ),
    "interface without name": ({"interfaces": [{"addresses": []}]}, "spec.interfaces[0].name is missing", "name"),
    "bgp is a text": ({"bgp": "192.0.2.1/24"}, "is not a mapping", "field: value"),
}


@pytest.mark.parametrize(("spec", "message", "remedy"), INVALID.values(), ids=INVALID)
def test_node_is_refused(spec: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Node.from_document(document(**spec))
    assert caught.value.message.startswith('Node "node1": ')
    assert message in caught.value.message
    assert remedy in caught.value.remedy


METADATA = {
    "upper case": ({"name": "Node_1"}, 'metadata.name "Node_1" is not a DNS-1123 subdomain', 'for example "node-1"'),
    "no name": ({}, "metadata.name is missing", "name"),
    "label is a list": (
        {"name": "a", "labels": {"rack": [1]}},
        "metadata.labels.rack [1] is not a text",
        'quotes: "[1]"',
    ),
    "label value": ({"name": "a", "labels": {"rack": "a b"}}, "is not a label value", "at most 63"),
    "label key": ({"name": "a", "labels": {"-x": "a"}}, "has a key that is not a qualified name", "prefix/name"),
    "label prefix": ({"name": "a", "labels": {"A/x": "a"}}, "has a key that is not a qualified name", "prefix/name"),
    "namespace": ({"name": "a", "namespace": "kube-system"}, "has no namespaces", "Leave it out"),
    "unknown": ({"name": "a", "label": {}}, "metadata.label is not a field", "Did you mean labels?"),
    "too many annotations": ({"name": "a", "annotations": {"x": "y" * 300000}}, "more than 262144", "Store less"),
}


@pytest.mark.parametrize(("metadata", "message", "remedy"), METADATA.values(), ids=METADATA)
def test_metadata_is_refused(metadata: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Node.from_document({"kind": "Node", "metadata": metadata})
    assert message in caught.value.message
    assert remedy in caught.value.remedy
