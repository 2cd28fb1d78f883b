# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calicoctl and kubectl print and Calico's users write is taken, and means what it means to Calico."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore import yaml_text
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.duration import (
    format_duration,
    parse_duration,
    whole_seconds,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise

Spec = t.Dict[str, t.Any]

PRINTED_BY_CALICOCTL = """\
apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata: {creationTimestamp: "2026-01-01T00:00:00Z", name: first, resourceVersion: "1503", uid: u1}
  spec: {blockSize: 26, cidr: 10.244.0.0/16, ipipMode: Never, natOutgoing: true, nodeSelector: all(), vxlanMode: Always}
kind: IPPoolList
metadata: {resourceVersion: "99"}
"""
PRINTED_BY_KUBECTL = """\
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: crd.projectcalico.org/v1
  kind: IPAMConfig
  metadata: {name: default, generation: 3, managedFields: [{manager: calico-node}], resourceVersion: "7/1"}
  spec: {strictAffinity: true, autoAllocateBlocks: true}
- {apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: {name: second}, spec: {cidr: 10.245.0.0/16}}
---
"""


def peer(**spec: t.Any) -> Spec:
    return taken("BGPPeer", "p", {"peerIP": "192.0.2.1", "asNumber": 1, **spec})


def taken(kind: str, name: str, spec: Spec, **metadata: t.Any) -> Spec:
    """Return the canonical document of a kind."""
    return normalise(
        {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
    )


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (PRINTED_BY_CALICOCTL, [("IPPool", "first")]),
        (PRINTED_BY_KUBECTL, [("IPAMConfiguration", "default"), ("IPPool", "second")]),
    ],
)
def test_lists_are_stored_as_often_as_one_likes(text: str, keys: list[tuple[str, str]]) -> None:
    once = put({}, yaml_text.parse(text, "printed"))
    assert list(once) == keys
    assert put(once, yaml_text.parse(text, "printed")) == once


def test_lists_and_empty_documents_of_an_inventory_are_taken() -> None:
    extra = [{"kind": "IPPoolList", "apiVersion": "projectcalico.org/v3", "items": [{"metadata": {"name": "a"}}]}, None]
    (found,) = documents(extra=t.cast("list[Spec]", extra))
    assert (found["kind"], found["metadata"]["name"]) == ("IPPool", "a")


@pytest.mark.parametrize(
    ("given", "stored"), [(True, "true"), (False, "false"), (1, "1"), (1.5, "1.5"), ("yes", "yes")]
)
def test_scalars_in_labels_are_texts(given: t.Any, stored: str) -> None:
    found = taken("IPPool", "p", {"cidr": "10.0.0.0/16"}, labels={"x": given}, annotations={"a": given})
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]) == ({"x": stored}, {"a": stored})


def test_domains_of_annotations_may_have_upper_case() -> None:
    found = taken("IPPool", "p", {"cidr": "10.0.0.0/16"}, annotations={"Example.COM/note": "x"})
    assert found["metadata"]["annotations"] == {"Example.COM/note": "x"}
    with pytest.raises(InvalidInput, match="has a key that is not a qualified name"):
        taken("IPPool", "p", {"cidr": "10.0.0.0/16"}, labels={"Example.COM/note": "x"})


def test_an_address_without_length_is_alone_in_its_network() -> None:
    found = taken("Node", "n", {"bgp": {"ipv4Address": "192.0.2.11", "ipv6Address": "2001:DB8::11"}})
    assert found["spec"]["bgp"] == {"ipv4Address": "192.0.2.11/32", "ipv6Address": "2001:db8::11/128"}
    with pytest.raises(InvalidInput, match="is not an IPv6 address"):
        taken("Node", "n", {"bgp": {"ipv6Address": "192.0.2.11"}})


def test_zero_is_not_given() -> None:
    assert taken("IPPool", "p", {"cidr": "10.0.0.0/16", "blockSize": 0})["spec"]["blockSize"] == 26
    found = taken("BGPConfiguration", "default", {"asNumber": 0, "listenPort": 0, "serviceClusterIPs": [{}]})["spec"]
    assert (found["asNumber"], found["listenPort"], found.get("serviceClusterIPs")) == (64512, 179, None)
    assert "localASNumber" not in peer(localASNumber=0)["spec"]


@pytest.mark.parametrize("level", ["info", "INFO", "Info"])
def test_levels_are_taken_in_any_case(level: str) -> None:
    found = taken("BGPConfiguration", "default", {"logSeverityScreen": level})
    assert found["spec"]["logSeverityScreen"] == "Info"


def test_brackets_around_an_ipv4_address_are_taken() -> None:
    assert peer(peerIP="[192.0.2.1]:179")["spec"]["peerIP"] == "192.0.2.1:179"


POOL: Spec = {"cidr": "10.0.0.0/16"}
CONFIGURATION = "BGPConfiguration"
ADVERTISED: Spec = {"cidr": "10.0.0.0/8", "communities": []}
TAKEN: dict[str, tuple[str, Spec, str, t.Any]] = {
    "whole float": ("IPPool", {**POOL, "blockSize": 26.0}, "blockSize", 26),
    "no mode": ("IPPool", {**POOL, "vxlanMode": ""}, "vxlanMode", "Never"),
    "global selector": ("IPPool", {**POOL, "nodeSelector": "global()"}, "nodeSelector", "global()"),
    "leading zeros of a length": ("IPPool", {"cidr": "10.0.0.0/016"}, "cidr", "10.0.0.0/16"),
    "MAC without signs": ("Node", {"vxlanTunnelMACAddr": "660A0B0C0D0E"}, "vxlanTunnelMACAddr", "66:0a:0b:0c:0d:0e"),
    "MAC with dots": ("Node", {"vxlanTunnelMACAddr": "660a.0b0c.0d0e"}, "vxlanTunnelMACAddr", "66:0a:0b:0c:0d:0e"),
    "IPv4 as IPv6": ("Node", {"bgp": {"ipv4Address": "::ffff:192.0.2.1/120"}}, "bgp", {"ipv4Address": "192.0.2.1/24"}),
    "IPv4 address as IPv6": ("Node", {"ipv4VXLANTunnelAddr": "::ffff:10.0.0.1"}, "ipv4VXLANTunnelAddr", "10.0.0.1"),
    "address of any type": ("Node", {"addresses": [{"type": "Hostname"}]}, "addresses", [{"type": "Hostname"}]),
    "number as text": ("Node", {"orchRefs": [{"orchestrator": 1}]}, "orchRefs", [{"orchestrator": "1"}]),
    "zero as text": (CONFIGURATION, {"asNumber": "0"}, "asNumber", 64512),
    "no level": (CONFIGURATION, {"logSeverityScreen": ""}, "logSeverityScreen", "Info"),
    "address as network": (
        *(CONFIGURATION, {"serviceExternalIPs": [{"cidr": "192.0.2.1"}]}, "serviceExternalIPs"),
        [{"cidr": "192.0.2.1/32"}],
    ),
    "no communities": (CONFIGURATION, {"prefixAdvertisements": [ADVERTISED]}, "prefixAdvertisements", [ADVERTISED]),
    "no source": ("BGPPeer", {"peerIP": "192.0.2.1", "asNumber": 1, "sourceAddress": ""}, "sourceAddress", "UseNodeIP"),
    "peer as IPv6": ("BGPPeer", {"peerIP": "[::ffff:192.0.2.1]:179", "asNumber": 1}, "peerIP", "192.0.2.1:179"),
    "no source of routes": (
        *("BGPFilter", {"importV4": [{"action": "Accept", "source": ""}]}, "importV4"),
        [{"action": "Accept"}],
    ),
    "address in a rule": (
        *("BGPFilter", {"importV6": [{"action": "Reject", "cidr": "fd00::1", "matchOperator": "In"}]}, "importV6"),
        [{"action": "Reject", "cidr": "fd00::1/128", "matchOperator": "In"}],
    ),
    "nothing reserved": ("IPReservation", {"reservedCIDRs": ["", None, "10.0.0.7"]}, "reservedCIDRs", ["10.0.0.7"]),
    "number as text of Felix": ("FelixConfiguration", {"logPrefix": 1}, "logPrefix", "1"),
    "whole float of Felix": ("FelixConfiguration", {"vxlanMTU": 1400.0}, "vxlanMTU", 1400),
}


@pytest.mark.parametrize(("kind", "spec", "key", "stored"), TAKEN.values(), ids=TAKEN)
def test_what_calicoctl_takes_is_taken(kind: str, spec: Spec, key: str, stored: t.Any) -> None:
    found = taken(kind, "default", spec)
    assert found["spec"][key] == stored
    assert type(found["spec"][key]) is type(stored)
    assert normalise(found) == found


def test_empty_lists_of_all_nodes_are_nothing_for_one_node() -> None:
    assert taken(CONFIGURATION, "node.node1", {"serviceClusterIPs": []})["spec"] == {}


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"generation": "1"}, "generation"),
        ({"finalizers": "a"}, "finalizers"),
        ({"creationTimestamp": "yesterday"}, "creationTimestamp"),
        ({"creationTimestamp": 1}, "creationTimestamp"),
    ],
)
def test_kubernetes_fields_have_their_types(metadata: Spec, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        taken("IPPool", "p", POOL, **metadata)


def test_a_status_is_a_mapping() -> None:
    given = {"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "p"}, "spec": POOL}
    with pytest.raises(InvalidInput, match="status is not a mapping"):
        normalise({**given, "status": 1})


def test_names_and_empty_labels_are_texts() -> None:
    found = normalise(
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "IPPool",
            "metadata": {"name": 1, "labels": {"a": None}, "creationTimestamp": "2026-01-02T03:04:05Z"},
            "spec": POOL,
        }
    )
    assert (found["metadata"]["name"], found["metadata"]["labels"]) == ("1", {"a": ""})


@pytest.mark.parametrize(
    ("text", "seconds", "canonical", "whole"),
    [
        ("1.5s", "1.5", "1.5s", 2),
        ("100ms", "0.1", "100ms", 1),
        ("1h0m30.250s", "3630.25", "1h0m30.25s", 3630),
        ("90m", "5400", "1h30m0s", 5400),
        ("250us", "0.00025", "250µs", 1),
        ("0", "0", "0s", 0),
        ("-0", "0", "0s", 0),
        ("+.5m", "30", "30s", 30),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: str, canonical: str, whole: int) -> None:
    found = parse_duration(text)
    assert found == Decimal(seconds)
    assert (format_duration(found), whole_seconds(found)) == (canonical, whole)
    assert peer(maxRestartTime=text)["spec"]["maxRestartTime"] == canonical


@pytest.mark.parametrize("text", ["", "s", "1", "1.5", "-1s", "2562048h", "+", "--0", "1d", "1 s", "1s2"])
def test_other_texts_are_no_durations(text: str) -> None:
    assert parse_duration(text) is None


def test_a_peers_node_has_the_name_of_one() -> None:
    with pytest.raises(InvalidInput, match=r'spec\.node "N1" is not the name of a node'):
        peer(node="N1")
