# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPFilter: canonical form, what is refused, and the module's options."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_filter import VERSIONS, BGPFilter
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise

Spec = t.Dict[str, t.Any]

FULL: Spec = {
    "action": "Accept",
    "cidr": "198.51.100.0/24",
    "matchOperator": "In",
    "prefixLength": {"min": 26, "max": 32},
    "source": "RemotePeers",
    "interface": "eth*",
    "peerType": "eBGP",
    "communities": {"values": ["65000:100"]},
    "asPathPrefix": [65000, 65000],
    "priority": 1,
    "operations": [
        {"addCommunity": {"value": "65000:1:4294967295"}},
        {"prependASPath": {"prefix": [64512, 64512]}},
        {"setPriority": {"value": 2147483646}},
    ],
}


def read(**spec: t.Any) -> BGPFilter:
    return BGPFilter.from_document({"kind": "BGPFilter", "metadata": {"name": "f"}, "spec": spec})


def rule(key: str = "importV4", **fields: t.Any) -> Spec:
    return {key: [{"action": "Accept", **fields}]}


@pytest.mark.parametrize("key", VERSIONS)
def test_everything_of_a_full_rule_survives_the_round_trip(key: str) -> None:
    cidr = "198.51.100.0/24" if VERSIONS[key] == 4 else "2001:db8::/32"
    spec = {key: [{**FULL, "cidr": cidr, "prefixLength": {"min": 32}}, {"action": "Reject"}]}
    found = read(**spec)
    canonical = found.to_document()
    assert canonical["spec"] == spec
    assert BGPFilter.from_document(canonical) == found


SPELLINGS: dict[str, tuple[Spec, Spec]] = {
    "AS numbers": ({"asPathPrefix": ["0.65000", "64513"]}, {"asPathPrefix": [65000, 64513]}),
    "prepended": (
        {"operations": [{"prependASPath": {"prefix": ["1.10"]}}]},
        {"operations": [{"prependASPath": {"prefix": [65546]}}]},
    ),
    "community": ({"communities": {"values": ["065000:01"]}}, {"communities": {"values": ["65000:1"]}}),
    "what is empty": ({"cidr": "", "matchOperator": "", "prefixLength": {}, "asPathPrefix": [], "source": None}, {}),
    "any destination": (
        {"cidr": "0.0.0.0/0", "matchOperator": "In", "prefixLength": {"min": 0, "max": 32}},
        {"cidr": "0.0.0.0/0", "matchOperator": "In", "prefixLength": {"min": 0, "max": 32}},
    ),
}


@pytest.mark.parametrize(("given", "canonical"), SPELLINGS.values(), ids=SPELLINGS)
def test_values_have_one_spelling(given: Spec, canonical: Spec) -> None:
    assert read(**rule(**given)).to_document()["spec"] == rule(**canonical)


def test_a_filter_may_be_empty() -> None:
    assert read(importV4=[], exportV6=None).to_document()["spec"] == {}


def test_the_kind_is_typed() -> None:
    document = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPFilter", "metadata": {"name": "f"}}
    assert normalise({**document, "spec": rule(cidr="2001:DB8::/32", matchOperator="In", key="exportV6")})["spec"] == {
        "exportV6": [{"action": "Accept", "cidr": "2001:db8::/32", "matchOperator": "In"}]
    }


def add(value: t.Any) -> Spec:
    return {"addCommunity": {"value": value}}


LARGEST_V6 = rule("importV6", cidr="::/0", matchOperator="In", prefixLength={"max": 129})
TWO_OPERATIONS = {**add("1:2"), "setPriority": {"value": 1}}
INVALID: dict[str, tuple[Spec, str, str]] = {
    "list": ({"importv4": []}, "spec.importv4 is not a field", "Did you mean importV4?"),
    "no list": ({"importV4": {"action": "Accept"}}, "is not a list", "as a list"),
    "no mapping": ({"importV4": ["Accept"]}, 'spec.importV4[0] "Accept" is not a mapping', "field: value"),
    "field": (rule(peertype="eBGP"), "spec.importV4[0].peertype is not a field", "Did you mean peerType?"),
    "no action": ({"exportV4": [{}]}, "spec.exportV4[0].action is missing", "Give Accept or Reject"),
    "action": ({"exportV4": [{"action": "accept"}]}, '"accept" is not one of Accept, Reject', "Did you mean Accept?"),
    "cidr alone": (rule(cidr="10.0.0.0/8"), '.cidr "10.0.0.0/8" is given without matchOperator', "Give both"),
    "operator alone": (rule(matchOperator="In"), '.matchOperator "In" is given without cidr', "Give both"),
    "operator": (rule(cidr="10.0.0.0/8", matchOperator="NotIns"), "is not one of Equal", "Did you mean NotIn?"),
    "host bits": (rule(cidr="10.0.0.1/8", matchOperator="In"), "has host bits set", "Use 10.0.0.0/8"),
    "IPv6 in a list for IPv4": (rule(cidr="fd00::/8", matchOperator="In"), "is not IPv4", "a list for IPv6"),
    "IPv4 in a list for IPv6": (
        rule("exportV6", cidr="10.0.0.0/8", matchOperator="In"),
        'spec.exportV6[0].cidr "10.0.0.0/8" is not IPv6',
        "a list for IPv4",
    ),
    "lengths without cidr": (rule(prefixLength={"min": 8}), "is given without cidr", "Give cidr"),
    "length of IPv4": (
        rule(cidr="10.0.0.0/8", matchOperator="In", prefixLength={"max": 33}),
        "spec.importV4[0].prefixLength.max 33 is not within 0 to 32",
        "0 to 32",
    ),
    "length of IPv6": (LARGEST_V6, "prefixLength.max 129 is not within 0 to 128", "0 to 128"),
    "lengths exchanged": (
        rule(cidr="10.0.0.0/8", matchOperator="In", prefixLength={"min": 24, "max": 16}),
        '{"min": 24, "max": 16} has a min above its max',
        "Exchange them",
    ),
    "no length left": (
        rule(cidr="10.0.0.0/16", matchOperator="In", prefixLength={"max": 15}),
        "excludes all of 10.0.0.0/16",
        "Give a max of 16 or more",
    ),
    "lengths are no mapping": (rule(prefixLength=24), "prefixLength 24 is not a mapping", "field: value"),
    "source": (rule(source="Local"), '.source "Local" is not one of RemotePeers', "Use RemotePeers"),
    "interface": (rule(interface="eth 0"), '.interface "eth 0" is not an interface pattern', "eth*"),
    "long interface": (rule(interface="e" * 16), "is not an interface pattern", "1 to 15"),
    "quote in the interface": (rule(interface='"; accept; #'), "is not an interface pattern", "1 to 15"),
    "peer type": (rule(peerType="EBGP"), "is not one of eBGP, iBGP", "Did you mean eBGP?"),
    "two communities": (rule(communities={"values": ["1:2", "1:3"]}), "not exactly one element", "a rule for each"),
    "no community": (rule(communities={"values": []}), "communities.values [] has not exactly one", "Give one"),
    "community is a number": (rule(communities={"values": [3900050]}), "values[0] 3900050 is not a", "in quotes"),
    "community too large": (rule(communities={"values": ["65536:1"]}), '"65536:1" is not a community', "in quotes"),
    "communities as a list": (rule(communities=["1:2"]), '.communities ["1:2"] is not a mapping', "field: value"),
    "AS zero": (rule(asPathPrefix=[65000, 0]), "asPathPrefix[1] 0 is not an AS number", "from 1"),
    "AS read as a float": (rule(asPathPrefix=[1.1]), "asPathPrefix[0] 1.1 is not an AS number", "in quotes"),
    "priority zero": (rule(priority=0), ".priority 0 is not within 1 to 2147483646", "2147483646"),
    "priority": (rule(priority=2147483647), "is not within 1 to 2147483646", "2147483646"),
    "operations of a rejected route": (
        {"importV4": [{"action": "Reject", "operations": [add("1:2")]}]},
        "needs action Accept",
        "Leave it out",
    ),
    "empty operations": (rule(operations=[]), ".operations [] is empty", "Leave it out"),
    "too many operations": (rule(operations=[add("1:2")] * 11), "has more than 10 elements", "Leave some out"),
    "operation of two": (rule(operations=[TWO_OPERATIONS]), "contradicts setPriority", "Give one of addCommunity"),
    "operation of none": (rule(operations=[{}]), "operations[0].addCommunity is missing", "Give one of addCommunity"),
    "unknown operation": (rule(operations=[{"setMed": {}}]), "operations[0].setMed is not a field", ""),
    "no value": (rule(operations=[{"addCommunity": {}}]), "addCommunity.value is missing", "in quotes"),
    "added community": (rule(operations=[add("a")]), 'addCommunity.value "a" is not a community', "in quotes"),
    "nothing to prepend": (rule(operations=[{"prependASPath": {"prefix": []}}]), "has not 1 to 10", "Give the AS"),
    "too much to prepend": (rule(operations=[{"prependASPath": {"prefix": [1] * 11}}]), "has not 1 to 10", "Give"),
    "prepended zero": (rule(operations=[{"prependASPath": {"prefix": [0]}}]), "prefix[0] 0 is not an AS", "from 1"),
    "new priority": (rule(operations=[{"setPriority": {"value": 0}}]), "setPriority.value 0 is not within", "1 to"),
    "no new priority": (rule(operations=[{"setPriority": {}}]), "setPriority.value is missing", "1 to"),
}


@pytest.mark.parametrize(("spec", "message", "remedy"), INVALID.values(), ids=INVALID)
def test_filter_is_refused(spec: Spec, message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(**spec)
    assert 'BGPFilter "f": ' in str(caught.value)
    assert message in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "many", [{"operations": [add("1:2")] * 10}, {"asPathPrefix": [1] * 100}], ids=lambda many: next(iter(many))
)
def test_limits_are_within_reach(many: Spec) -> None:
    assert read(**rule(**many)).to_document()["spec"] == rule(**many)


OPTIONS: Spec = {
    "action": "Accept",
    "cidr": "198.51.100.0/24",
    "match_operator": "In",
    "prefix_length": {"min": 26, "max": 32},
    "source": "RemotePeers",
    "interface": "eth*",
    "peer_type": "eBGP",
    "communities": ["65000:100"],
    "as_path_prefix": [65000, 65000],
    "priority": 1,
    "operations": [
        {"add_community": "65000:1:4294967295", "prepend_as_path": None, "set_priority": None},
        {"prepend_as_path": [64512, 64512]},
        {"set_priority": 2147483646},
    ],
}


def test_options_get_the_shape_of_the_resource() -> None:
    nothing = dict.fromkeys(OPTIONS)
    given = {
        "name": "f",
        "import_v4": [OPTIONS, {**nothing, "action": "Reject", "prefix_length": {"min": None, "max": None}}],
        "export_v4": None,
        "export_v6": [],
    }
    document = options.bgp_filter(given)
    assert document["spec"] == {"importV4": [FULL, {"action": "Reject", "prefixLength": {}}], "exportV6": []}
    assert BGPFilter.from_document(document).to_document()["spec"] == {"importV4": [FULL, {"action": "Reject"}]}


def test_filters_of_an_inventory() -> None:
    row = {"name": "f", "labels": {"a": "b"}, "export_v4": [OPTIONS]}
    peers = [{"name": "tor", "peer_ip": "192.0.2.1", "as_number": 64513, "filters": ["f"]}]
    made = documents(filters=[row], peers=peers)
    assert [document["kind"] for document in made] == ["BGPFilter", "BGPPeer"]
    assert made[0]["spec"] == {"exportV4": [FULL]}


WRONG_ROWS: dict[str, tuple[Spec, str]] = {
    "option": ({"importv4": []}, 'calico_bgp_filters[0]: there is no option "importv4". Do you mean import_v4?'),
    "rule": (
        {"import_v4": [{"action": "Accept"}, {"peertype": "eBGP"}]},
        'calico_bgp_filters[0].import_v4[1]: there is no option "peertype". Do you mean peer_type?',
    ),
    "operation": (
        {"export_v6": [{"operations": [{"add_comunity": "1:2"}]}]},
        'calico_bgp_filters[0].export_v6[0].operations[0]: there is no option "add_comunity". '
        "Do you mean add_community?",
    ),
}


@pytest.mark.parametrize(("row", "text"), WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_typos_are_refused_with_the_near_name(row: Spec, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents(filters=[{"name": "f", **row}])
    assert str(caught.value) == text


SHAPES: dict[str, tuple[t.Any, str]] = {
    "a rule without list": ({"action": "Accept"}, "import_v4 is no list"),
    "texts": (["Accept"], "import_v4[0] is no mapping"),
    "operations without list": (
        [{"action": "Accept", "operations": {"set_priority": 1}}],
        "import_v4[0].operations is no list",
    ),
    "lengths": ([{"action": "Accept", "prefix_length": 24}], "import_v4[0].prefix_length is no mapping"),
}


@pytest.mark.parametrize(("rules", "path"), SHAPES.values(), ids=SHAPES)
def test_other_shapes_are_refused_with_their_path(rules: t.Any, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents(filters=[{"name": "f", "import_v4": rules}])
    assert f"calico_bgp_filters[0].{path}" in str(caught.value)
