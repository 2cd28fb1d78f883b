# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPPool: defaults, canonical form, and every rule that refuses a pool."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool


def document(**spec: t.Any) -> dict[str, t.Any]:
    return {"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "main"}, "spec": spec}


def test_defaults_are_filled_in() -> None:
    pool = IPPool.from_document(document(cidr="10.244.0.0/16"))
    assert pool == IPPool(name="main", cidr=ipaddress.ip_network("10.244.0.0/16"))
    assert pool.to_document()["spec"] == {
        "cidr": "10.244.0.0/16",
        "blockSize": 26,
        "ipipMode": "Never",
        "vxlanMode": "Never",
        "natOutgoing": False,
        "disabled": False,
        "disableBGPExport": False,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
        "assignmentMode": "Automatic",
    }


def test_ipv6_pool_has_its_own_default_and_one_spelling() -> None:
    pool = IPPool.from_document(document(cidr="FD00:0010::0/48", vxlanMode="Always"))
    assert (str(pool.cidr), pool.block_size, pool.encapsulation) == ("fd00:10::/48", 122, "VXLAN")


@pytest.mark.parametrize("name", ENCAPSULATIONS)
def test_encapsulation_names_the_modes(name: t.Any) -> None:
    ipip, vxlan = ENCAPSULATIONS[name]
    assert IPPool.from_document(document(cidr="10.0.0.0/16", ipipMode=ipip, vxlanMode=vxlan)).encapsulation == name


VALID = {
    "one block": {"cidr": "10.0.0.0/26"},
    "smaller than a block but disabled": {"cidr": "10.0.0.0/28", "disabled": True},
    "largest block": {"cidr": "10.0.0.0/16", "blockSize": 20},
    "smallest block": {"cidr": "fd00::/64", "blockSize": 128},
    "namespaces without tunnels": {"cidr": "10.0.0.0/16", "allowedUses": ["Workload"], "namespaceSelector": "has(a)"},
    "load balancer": {"cidr": "10.0.0.0/24", "allowedUses": ["LoadBalancer"]},
    "uses in any order": {"cidr": "10.0.0.0/24", "allowedUses": ["Tunnel", "Workload", "Tunnel"]},
    "null is absent": {"cidr": "10.0.0.0/24", "blockSize": None, "nodeSelector": ""},
}


@pytest.mark.parametrize("spec", VALID.values(), ids=VALID)
def test_canonical_document_is_a_fixed_point(spec: dict[str, t.Any]) -> None:
    canonical = IPPool.from_document(document(**spec)).to_document()
    assert IPPool.from_document(canonical).to_document() == canonical


@given(
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
    st.integers(8, 26),
    st.sampled_from(["Never", "Always", "CrossSubnet"]),
    st.booleans(),
)
def test_any_accepted_pool_survives_the_round_trip(address: t.Any, prefix: int, mode: str, nat: bool) -> None:
    cidr = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    try:
        pool = IPPool.from_document(document(cidr=str(cidr), vxlanMode=mode, natOutgoing=nat))
    except InvalidInput as error:
        assert "link-local" in error.message
        return
    assert pool.cidr == cidr
    assert IPPool.from_document(pool.to_document()) == pool


INVALID = {
    "no range": ({}, "spec.cidr is missing", "10.244.0.0/16"),
    "host bits": ({"cidr": "10.0.0.1/16"}, 'spec.cidr "10.0.0.1/16" has host bits set', "Use 10.0.0.0/16"),
    "IPv6 host bits": ({"cidr": "fd00::1/64"}, 'spec.cidr "fd00::1/64" has host bits set', "Use fd00::/64"),
    "no prefix length": ({"cidr": "10.0.0.0"}, "is not an address with a prefix length", "10.244.0.0/16"),
    "netmask": ({"cidr": "10.0.0.0/255.255.0.0"}, "is not an address with a prefix length", "Write it like"),
    "prefix length too large": ({"cidr": "10.0.0.0/33"}, "is not an address with a prefix length", "Write it like"),
    "zone": ({"cidr": "fe80::%eth0/64"}, "is not an address with a prefix length", "Write it like"),
    "link-local": ({"cidr": "169.254.0.0/24"}, "overlaps the link-local range 169.254.0.0/16", "another range"),
    "around link-local": ({"cidr": "fe00::/8"}, "overlaps the link-local range fe80::/10", "another range"),
    "block larger than allowed": (
        {"cidr": "10.0.0.0/8", "blockSize": 19},
        "spec.blockSize 19 is not within 20",
        "20 to 32",
    ),
    "IPv4 block in IPv6": ({"cidr": "fd00::/48", "blockSize": 26}, "spec.blockSize 26 is not within 116", "116 to 128"),
    "smaller than a block": ({"cidr": "10.0.0.0/28"}, "is smaller than one block", "blockSize from 28 to 32"),
    "block size as text": (
        {"cidr": "10.0.0.0/16", "blockSize": "26"},
        'spec.blockSize "26" is not an integer',
        "quotes",
    ),
    "both modes": (
        {"cidr": "10.0.0.0/16", "ipipMode": "Always", "vxlanMode": "Always"},
        "contradicts vxlanMode",
        "Never",
    ),
    "IPIP on IPv6": ({"cidr": "fd00::/48", "ipipMode": "Always"}, "not possible for an IPv6 pool", "vxlanMode"),
    "unknown mode": ({"cidr": "10.0.0.0/16", "vxlanMode": "crosssubnet"}, "is not one of", "Did you mean CrossSubnet?"),
    "boolean as text": ({"cidr": "10.0.0.0/16", "natOutgoing": "yes"}, "is not a boolean", "true or false"),
    "selector": ({"cidr": "10.0.0.0/16", "nodeSelector": "rack ="}, "spec.nodeSelector", "two signs"),
    "IPv4 as IPv6": ({"cidr": "::ffff:10.0.0.0/104"}, "is a range of IPv4 written as one of IPv6", "Use 10.0.0.0/8"),
    "namespaces with tunnels": (
        {"cidr": "10.0.0.0/16", "namespaceSelector": "has(a)"},
        "allowedUses has Tunnel",
        "Workload",
    ),
    "unknown use": (
        {"cidr": "10.0.0.0/16", "allowedUses": ["Pods"]},
        'spec.allowedUses "Pods" has an element',
        "Remove",
    ),
    "mixed uses": (
        {"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer", "Tunnel"]},
        "combines LoadBalancer",
        "of its own",
    ),
    "load balancer with encapsulation": (
        {"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer"], "vxlanMode": "Always"},
        "has LoadBalancer in a pool with encapsulation",
        "Never",
    ),
    "load balancer of nodes": (
        {"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer"], "nodeSelector": "has(a)"},
        "belongs to none",
        "all()",
    ),
    "hidden load balancer": (
        {"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer"], "disableBGPExport": True},
        "spec.disableBGPExport true hides",
        "false",
    ),
    "unknown field": ({"cidr": "10.0.0.0/16", "natoutgoing": True}, "spec.natoutgoing is not a field", "natOutgoing?"),
    "unrelated field": ({"cidr": "10.0.0.0/16", "qqq": True}, "spec.qqq is not a field", "Known are cidr, blockSize"),
}


@pytest.mark.parametrize(("spec", "message", "remedy"), INVALID.values(), ids=INVALID)
def test_pool_is_refused(spec: dict[str, t.Any], message: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        IPPool.from_document(document(**spec))
    assert caught.value.message.startswith('IPPool "main": ')
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        IPPool.from_document(document(cidr="10.0.0.1/16", blockSize=99, natOutgoing="no", color="red"))
    assert "4 problems" in caught.value.message
    for path in ("spec.cidr", "spec.blockSize", "spec.natOutgoing", "spec.color"):
        assert path in caught.value.message
