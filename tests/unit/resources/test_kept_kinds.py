# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds that are kept as they are given: what Calico refuses is refused, and what is right stays as it is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import felix_configuration as felix
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise

Spec = t.Dict[str, t.Any]
NAMES = {"IPReservation": "r", "IPAMBlock": "10-0-0-0-30", "BlockAffinity": "n-10-0-0-0-30", "IPAMHandle": "h"}
BLOCK: Spec = {
    "cidr": "10.0.0.0/30",
    "affinity": "host:node1",
    "affinityClaimTime": "2026-01-02T03:04:05Z",
    "allocations": [None, 0, None, None],
    "unallocated": [2, 3, 0],
    "attributes": [{"handle_id": "h", "secondary": {"node": "node1"}}, {"handle_id": None, "secondary": None}],
    "sequenceNumber": 1767323045000000007,
    "sequenceNumberForAllocation": {"1": 1767323045000000006},
    "deleted": False,
    "strictAffinity": False,
}


def read(kind: str, spec: t.Any, name: str = "") -> t.Any:
    return normalise(
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": kind,
            "metadata": {"name": name or NAMES.get(kind, "default")},
            "spec": spec,
        }
    )


TAKEN: dict[str, tuple[str, Spec]] = {
    "networks and addresses": (
        "IPReservation",
        {"reservedCIDRs": ["10.0.0.0/24", "10.0.0.7", "10.0.0.7/24", "fd00::/120", "FD00::1"]},
    ),
    "no reservation": ("IPReservation", {}),
    "limit": ("IPAMConfiguration", {"strictAffinity": True, "maxBlocksPerHost": 4}),
    "no limit": ("IPAMConfiguration", {"strictAffinity": False, "autoAllocateBlocks": True, "maxBlocksPerHost": 0}),
    "newer fields": (
        "IPAMConfiguration",
        {"strictAffinity": True, "kubeVirtVMAddressPersistence": "Enabled", "ipCooldownSeconds": 60},
    ),
    "block": ("IPAMBlock", BLOCK),
    "affinity": (
        "BlockAffinity",
        {"cidr": "10.0.0.0/30", "node": "n", "state": "", "deleted": "false", "type": "host"},
    ),
    "handle": ("IPAMHandle", {"handleID": "H", "block": {"10.0.0.0/30": 1}, "deleted": False}),
    "cluster": ("ClusterInformation", {"clusterGUID": "a", "datastoreReady": True, "calicoVersion": "v3.32.1"}),
    "felix": (
        "FelixConfiguration",
        {
            "bpfEnabled": False,
            "vxlanMTU": 1400,
            "reportingInterval": "0s",
            "logSeverityScreen": "warning",
            "chainInsertMode": "",
            "wireguardKeepAlive": "-0",
            "natPortRange": "30000:40000",
            "bpfPSNATPorts": 20000,
            "routeTableRanges": [{"min": 1, "max": 250}],
            "kubeNodePortRanges": [30000, "30001:32767"],
            "failsafeInboundHostPorts": [{"protocol": "tcp", "port": 22, "net": "0.0.0.0/0"}],
            "healthTimeoutOverrides": [{"name": "x", "timeout": "5m"}],
            "bpfLogFilters": {"all": "tcp"},
            "externalNodesList": ["192.0.2.0/24"],
            "awsSrcDstCheck": "Disable",
            "deviceRouteSourceAddress": "",
        },
    ),
}


TAKEN["fields of other versions"] = ("FelixConfiguration", {"fieldOfAnotherEdition": [{"a": None}]})


@pytest.mark.parametrize(("kind", "spec"), TAKEN.values(), ids=TAKEN)
def test_what_is_right_stays_as_it_is(kind: str, spec: Spec) -> None:
    assert read(kind, spec)["spec"] == spec


FELIX = "FelixConfiguration"
REFUSED: list[tuple[str, t.Any, str]] = [
    ("IPReservation", {"reservedCIDRs": ["10.0.1.0/33"]}, 'spec.reservedCIDRs[0] "10.0.1.0/33" is neither a network'),
    ("IPReservation", {"reservedCIDRs": ["fe80::1%lo"]}, "is neither a network nor an address"),
    ("IPReservation", {"reservedCIDRs": ["10.0.0.0/255.0.0.0"]}, "is neither a network nor an address"),
    ("IPReservation", {"reservedCIDRs": [7, "x", ["x"]]}, "3 problems"),
    ("IPReservation", {"reservedCIDRs": "10.0.1.0/24"}, "is not a list"),
    ("IPReservation", {"reservedCidrs": []}, "Did you mean reservedCIDRs?"),
    ("IPReservation", ["10.0.1.0/24"], "is not a mapping"),
    ("IPAMConfiguration", {"maxBlocksPerHost": "five"}, 'spec.maxBlocksPerHost "five" is not an integer'),
    ("IPAMConfiguration", {"maxBlocksPerHost": -1}, "is not within 0 to 1000000"),
    ("IPAMConfiguration", {"maxBlocksPerHost": 4}, "needs strictAffinity"),
    ("IPAMConfiguration", {"strictAffinity": "yes"}, "is not a boolean"),
    ("IPAMConfiguration", {"autoAllocateBlocks": False}, "contradicts that autoAllocateBlocks is false"),
    ("IPAMConfiguration", {"kubeVirtVMAddressPersistence": ""}, "is not one of Enabled, Disabled"),
    ("IPAMConfiguration", {"strictAfinity": True}, "Did you mean strictAffinity?"),
    ("IPAMBlock", {**BLOCK, "cidr": "10.0.0.1/30"}, "has host bits set"),
    ("IPAMBlock", {**BLOCK, "cidr": None}, "spec.cidr is missing"),
    ("IPAMBlock", {**BLOCK, "affinity": "node1"}, "is no owner of a block"),
    ("IPAMBlock", {**BLOCK, "allocations": ["0"]}, 'spec.allocations[0] "0" is not a number'),
    ("IPAMBlock", {**BLOCK, "unallocated": [None]}, "spec.unallocated[0] is not a number"),
    ("IPAMBlock", {**BLOCK, "attributes": [7]}, "spec.attributes[0] 7 is not a mapping"),
    ("IPAMBlock", {**BLOCK, "attributes": [{"secondary": {"node": 1}}]}, "spec.attributes[0].secondary.node 1 is not"),
    ("IPAMBlock", {**BLOCK, "sequenceNumber": "now"}, "is not an integer"),
    ("IPAMBlock", {**BLOCK, "sequenceNumberForAllocation": [1]}, "is not a mapping"),
    ("IPAMBlock", {**BLOCK, "deleted": "true"}, "says that the object is being deleted"),
    ("BlockAffinity", {"cidr": "10.0.0.0/30"}, "spec.node is missing"),
    ("BlockAffinity", {"cidr": "x", "node": "n"}, "is not an address with a prefix length"),
    ("BlockAffinity", {"cidr": "10.0.0.0/30", "node": 7}, "is not a text"),
    ("BlockAffinity", {"cidr": "10.0.0.0/30", "node": "n", "state": "sure"}, "is not one of confirmed, pending"),
    ("BlockAffinity", {"cidr": "10.0.0.0/30", "node": "n", "deleted": True}, "says that the object is being deleted"),
    ("BlockAffinity", {"cidr": "10.0.0.0/30", "node": "n", "deleted": "perhaps"}, "is not a boolean"),
    ("IPAMHandle", {"handleID": "h"}, "spec.block is missing"),
    ("IPAMHandle", {"block": {"10.0.0.1/30": 1}}, "has a key that is no network"),
    ("IPAMHandle", {"block": {"10.0.0.0/30": "x"}}, "is not an integer"),
    ("IPAMHandle", {"block": [1]}, "is not a mapping"),
    ("ClusterInformation", {"datastoreReady": "yes"}, "is not a boolean"),
    ("ClusterInformation", {"clusterGUID": 7}, "is not a text"),
    (FELIX, {"vxlanMTU": "1400"}, 'spec.vxlanMTU "1400" is not an integer'),
    (FELIX, {"bpfEnabled": "no"}, "is not a boolean"),
    (FELIX, {"reportingInterval": 30}, "is not a duration"),
    (FELIX, {"reportingInterval": ""}, "is not a duration"),
    (FELIX, {"reportingInterval": "99999999h"}, "is not a duration"),
    (FELIX, {"iptablesMarkMask": -1}, "is not within 0 to 4294967295"),
    (FELIX, {"wireguardListeningPort": 0}, "is not within 1 to 65535"),
    (FELIX, {"wireguardRoutingRulePriority": 32766}, "is not within 1 to 32765"),
    (FELIX, {"debugPort": 65536}, "is not within 0 to 65535"),
    (FELIX, {"goGCThreshold": -2}, "is not within -1"),
    (FELIX, {"featureGates": "A=b,C"}, "has not the form that Felix takes"),
    (FELIX, {"wireguardInterfaceName": "w" * 16}, "has not the form"),
    (FELIX, {"iptablesNATOutgoingInterfaceFilter": "*"}, "has not the form"),
    (FELIX, {"openstackRegion": "r" * 47}, "has not the form"),
    (FELIX, {"openstackRegion": "Region"}, "has not the form"),
    (FELIX, {"prometheusMetricsHost": "a b"}, "has not the form"),
    (FELIX, {"mtuIfacePattern": "["}, "is not a regular expression of Go"),
    (FELIX, {"logDebugFilenameRegex": "(?=a)"}, "is not a regular expression of Go"),
    (FELIX, {"natOutgoingAddress": "2001:db8::1"}, "is not an IPv4 address"),
    (FELIX, {"deviceRouteSourceAddressIPv6": "192.0.2.1"}, "is not an IPv6 address"),
    (FELIX, {"bpfDSROptoutCIDRs": ["10.0.0.0/33"]}, "spec.bpfDSROptoutCIDRs[0]"),
    (FELIX, {"externalNodesList": ["fd00::/48"]}, "is not IPv4"),
    (FELIX, {"bpfForceTrackPacketsFromIfaces": ["eth/0"]}, "is not an interface"),
    (FELIX, {"natPortRange": "80:79"}, "is not a range of ports"),
    (FELIX, {"natPortRange": 65536}, "is not a range of ports"),
    (FELIX, {"kubeNodePortRanges": ["http"]}, "spec.kubeNodePortRanges[0]"),
    (FELIX, {"kubeNodePortRanges": [80] * 8}, "has more than 7 elements"),
    (FELIX, {"routeTableRange": {"min": 1, "max": 251}}, "is not within 1 to 250"),
    (FELIX, {"routeTableRanges": [{"min": 1, "max": 65536}]}, "has 65536 tables"),
    (FELIX, {"healthTimeoutOverrides": [{"name": "a/b", "timeout": "1s"}]}, "is not a name of a part"),
    (FELIX, {"healthTimeoutOverrides": [{"name": "a", "timeout": "-1s"}]}, "timeout"),
    (FELIX, {"reportingInterval": "30"}, "is not a duration"),
    (FELIX, {"logSeverityScreen": "Loud"}, "is not one of Trace, Debug"),
    (FELIX, {"awsSrcDstCheck": "disable"}, "Did you mean Disable?"),
    (FELIX, {"floatingIPs": ""}, "is not one of Enabled, Disabled"),
    (FELIX, {"externalNodesList": "192.0.2.0/24"}, "is not a list"),
    (FELIX, {"bpfLogFilters": {"all": 1}}, "spec.bpfLogFilters.all 1 is not a text"),
    (FELIX, {"natPortRange": [1]}, "is neither a number nor a text"),
    (FELIX, {"kubeNodePortRanges": [{}]}, "spec.kubeNodePortRanges[0] {} is neither"),
    (FELIX, {"failsafeInboundHostPorts": [{"protocol": "tcp"}]}, "spec.failsafeInboundHostPorts[0].port is missing"),
    (FELIX, {"failsafeInboundHostPorts": [22]}, "is not a mapping"),
    (FELIX, {"healthTimeoutOverrides": [{"name": "x"}]}, "spec.healthTimeoutOverrides[0].timeout is missing"),
    (FELIX, {"routeTableRange": {"min": 9, "max": 1}}, "spec.routeTableRange.max 1 is not within 9"),
    (FELIX, {"routeTableRange": {"min": 1, "max": 9}, "routeTableRanges": []}, "contradicts routeTableRanges"),
    (FELIX, {"ipipMtu": 1400}, "Did you mean ipipMTU?"),
    (FELIX, {"bpf_enabled": True}, "Did you mean bpfEnabled?"),
    (FELIX, {"nodeSelector": "all()"}, "is not possible in the configuration default"),
]


@pytest.mark.parametrize(("kind", "spec", "text"), REFUSED)
def test_what_calico_refuses_is_refused_with_its_object(kind: str, spec: t.Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(kind, spec)
    assert text in str(refused.value)
    assert f'{kind} "{NAMES.get(kind, "default")}"' in str(refused.value)


@pytest.mark.parametrize("kind", ["IPAMConfiguration", "ClusterInformation"])
def test_there_is_one_object_of_these_kinds(kind: str) -> None:
    with pytest.raises(InvalidInput, match="is not default, the one name that there is"):
        read(kind, {"strictAffinity": True} if kind == "IPAMConfiguration" else {}, "other")


def test_a_configuration_of_felix_is_for_all_nodes_for_one_or_for_those_of_a_selector() -> None:
    read(FELIX, {}, "node.node1")
    read(FELIX, {"nodeSelector": "rack == 'r1'"}, "rack1")
    with pytest.raises(InvalidInput, match="nodeSelector is missing"):
        read(FELIX, {}, "rack1")


def test_no_field_of_felix_is_in_two_tables() -> None:
    groups = [
        *(felix.FLAGS, felix.NUMBERS, felix.BOUNDED_NUMBERS, felix.DURATIONS, felix.TEXTS, felix.FORMS),
        *(felix.PATTERNS, felix.ADDRESSES, felix.NETWORKS, felix.NUMBERS_OR_TEXTS, felix.PORT_RANGES),
        *(felix.MAPPINGS, felix.CHOICES, felix.LOOSE_CHOICES, felix.PORTS),
    ]
    named = [name for group in groups for name in group]
    assert len(named) == len(set(named)) == len(felix.CHECKS) - 5


EMPTY: list[tuple[str, str, str, Spec]] = [
    ("IPPool", "p", "assignmentMode", {"cidr": "10.0.0.0/16"}),
    *(
        ("BGPPeer", "p", key, {"peerIP": "192.0.2.1", "asNumber": 1})
        for key in ("nextHopMode", "reversePeering", "maxRestartTime", "keepaliveTime")
    ),
    *(
        ("BGPConfiguration", "default", key, {})
        for key in (*("serviceLoadBalancerAggregation", "bindMode", "programClusterRoutes", "nodeMeshMaxRestartTime"),)
    ),
]


@pytest.mark.parametrize(("kind", "name", "key", "spec"), EMPTY)
def test_empty_texts_are_neither_choices_nor_durations(kind: str, name: str, key: str, spec: Spec) -> None:
    with pytest.raises(InvalidInput, match=r"is not (one of|a duration)"):
        read(kind, {**spec, key: ""}, name)


@pytest.mark.parametrize("kind", ["IPPool", "Node", "BGPFilter", "BGPPeer", "IPReservation", "IPAMHandle"])
def test_names_of_more_than_253_characters_are_refused(kind: str) -> None:
    specs: dict[str, Spec] = {
        "IPPool": {"cidr": "10.0.0.0/16"},
        "BGPPeer": {"peerIP": "192.0.2.1", "asNumber": 1},
        "IPAMHandle": {"block": {}},
    }
    assert read(kind, specs.get(kind, {}), "n" * 253)
    with pytest.raises(InvalidInput, match="is not a DNS-1123 subdomain"):
        read(kind, specs.get(kind, {}), "n" * 254)


@pytest.mark.parametrize(
    ("spec", "path"), [({"node": "n" * 254}, "spec.node"), ({"filters": ["n" * 254]}, "spec.filters")]
)
def test_names_of_others_are_no_longer_either(spec: Spec, path: str) -> None:
    with pytest.raises(InvalidInput, match=path):
        read("BGPPeer", {"peerIP": "192.0.2.1", "asNumber": 1, **spec}, "p")
