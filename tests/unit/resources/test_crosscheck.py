# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems between documents, and which of them are held against a change."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils import ip
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.crosscheck import check
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise

Documents = dict[tuple[str, str], dict[str, t.Any]]


def stored(kind: str, name: str, **spec: t.Any) -> Documents:
    given = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return {(kind, name): normalise(given)}


def pool(name: str, cidr: str, **spec: t.Any) -> Documents:
    return stored("IPPool", name, cidr=cidr, **spec)


def node(name: str, address: str, **spec: t.Any) -> Documents:
    return stored("Node", name, bgp={"ipv4Address": address}, **spec)


def tunnel(name: str, **address: str) -> Documents:
    """Return a node that has nothing but a tunnel address, by the name of its field."""
    return stored("Node", name, **({"bgp": address} if "ipv4IPIPTunnelAddr" in address else address))


PEER = stored("BGPPeer", "p", peerIP="192.0.2.1", asNumber=1, filters=["f"])
FILTER = stored("BGPFilter", "f")

REFUSED: dict[str, tuple[Documents, Documents, str]] = {
    "new pool overlaps": (
        pool("a", "10.0.0.0/8"),
        {**pool("a", "10.0.0.0/8"), **pool("b", "10.1.0.0/16")},
        'IPPool "b": spec.cidr "10.1.0.0/16" overlaps "10.0.0.0/8" of IPPool "a"',
    ),
    "two new pools overlap": (
        {},
        {**pool("a", "fd00::/48"), **pool("b", "fd00::/64")},
        'IPPool "a": spec.cidr "fd00::/48" overlaps "fd00::/64" of IPPool "b"',
    ),
    "disabled pools count": (
        pool("a", "10.0.0.0/8", disabled=True),
        {**pool("a", "10.0.0.0/8", disabled=True), **pool("b", "10.1.0.0/16")},
        "overlaps",
    ),
    "range changes": (pool("a", "10.0.0.0/16"), pool("a", "10.1.0.0/16"), "spec.cidr cannot change from 10.0.0.0/16"),
    "block size changes": (
        pool("a", "10.0.0.0/16"),
        pool("a", "10.0.0.0/16", blockSize=24),
        "spec.blockSize cannot change from 26 to 24",
    ),
    "load balancer pool gets another use": (
        pool("a", "10.0.0.0/16", allowedUses=["LoadBalancer"]),
        pool("a", "10.0.0.0/16", allowedUses=["Workload"]),
        "cannot change from LoadBalancer",
    ),
    "old blocks of another size": (
        stored("IPAMBlock", "10-0-0-0-24", cidr="10.0.0.0/24"),
        {**stored("IPAMBlock", "10-0-0-0-24", cidr="10.0.0.0/24"), **pool("a", "10.0.0.0/16")},
        "spec.blockSize 26 differs from the existing block 10.0.0.0/24",
    ),
    "address given twice with other prefix lengths": (
        node("n1", "192.0.2.1/24"),
        {**node("n1", "192.0.2.1/24"), **node("n0", "192.0.2.1/26")},
        'Node "n0": "192.0.2.1" is an address of Node "n1" too',
    ),
    "tunnel address is another node's address": (
        node("n1", "192.0.2.1/24"),
        {**node("n1", "192.0.2.1/24"), **node("n2", "192.0.2.2/24", ipv4VXLANTunnelAddr="192.0.2.1")},
        'Node "n2": "192.0.2.1" is an address of Node "n1" too',
    ),
    **{
        f"{option} is another node's": (
            tunnel("n1", **{option: address}),
            {**tunnel("n1", **{option: address}), **tunnel("n2", **{option: address})},
            f'Node "n2": "{address}" is an address of Node "n1" too',
        )
        for option, address in (
            ("ipv4IPIPTunnelAddr", "10.0.0.1"),
            ("ipv4VXLANTunnelAddr", "10.0.0.1"),
            ("ipv6VXLANTunnelAddr", "fd00::1"),
        )
    },
    "filter does not exist": ({}, PEER, 'BGPPeer "p": spec.filters names BGPFilter "f", which does not exist'),
    "filter in use is deleted": ({**PEER, **FILTER}, PEER, "which does not exist"),
}

ACCEPTED: dict[str, tuple[Documents, Documents]] = {
    "neighbouring pools": ({}, {**pool("a", "10.0.0.0/16"), **pool("b", "10.1.0.0/16")}),
    "pools of two families": ({}, {**pool("a", "0.0.0.0/1"), **pool("b", "fd00::/48")}),
    "overlap that was there": (
        {**pool("a", "10.0.0.0/8"), **pool("b", "10.1.0.0/16")},
        {**pool("a", "10.0.0.0/8"), **pool("b", "10.1.0.0/16"), **pool("c", "192.0.2.0/24")},
    ),
    "shared address that was there": (
        {**node("n1", "192.0.2.1/24"), **node("n2", "192.0.2.1/24")},
        {**node("n1", "192.0.2.1/24"), **node("n2", "192.0.2.1/24"), **node("n3", "192.0.2.3/24")},
    ),
    "own address for two tunnels": (
        {},
        stored("Node", "n", bgp={"ipv4IPIPTunnelAddr": "10.0.0.1"}, ipv4VXLANTunnelAddr="10.0.0.1"),
    ),
    "filter and peer together": ({}, {**PEER, **FILTER}),
    "filter and peer are deleted together": ({**PEER, **FILTER}, {}),
    "blocks of the same size": ({}, {**pool("a", "10.0.0.0/16"), **stored("IPAMBlock", "b", cidr="10.0.0.0/26")}),
    "pool is disabled": (pool("a", "10.0.0.0/16"), pool("a", "10.0.0.0/16", disabled=True)),
}


@pytest.mark.parametrize(("before", "after", "message"), REFUSED.values(), ids=REFUSED)
def test_change_is_refused(before: Documents, after: Documents, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(before, after)
    assert message in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(("before", "after"), ACCEPTED.values(), ids=ACCEPTED)
def test_change_is_accepted(before: Documents, after: Documents) -> None:
    check(before, after)


def test_everything_is_checked_against_an_empty_past() -> None:
    with pytest.raises(InvalidInput, match="2 problems"):
        check({}, {**pool("a", "10.0.0.0/8"), **pool("b", "10.1.0.0/16"), **PEER})


MANY = [f"10.{index >> 8}.{index & 255}.0/24" for index in range(2000)]


def test_thousands_of_pools_are_not_compared_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons = 0

    def counted(one: t.Any, other: t.Any) -> bool:
        nonlocal comparisons
        comparisons += 1
        return ip.contains(one, other) or ip.contains(other, one)

    documents = {key: value for index, cidr in enumerate(MANY) for key, value in pool(f"p{index}", cidr).items()}
    monkeypatch.setattr(ip, "overlaps", counted)
    check({}, documents)
    assert comparisons <= 2 * len(MANY)
    with pytest.raises(InvalidInput, match=r'(?s)8 problems.*"10.0.0.0/21" overlaps "10.0.7.0/24" of IPPool "p7"'):
        check(documents, {**documents, **pool("wide", "10.0.0.0/21")})


def test_pairs_are_those_that_a_comparison_of_all_finds() -> None:
    texts = ("10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.1.0.0/16", "11.0.0.0/8", "10.0.0.0/24")
    networks = dict(enumerate(map(ipaddress.ip_network, (*texts, "::/0", "fd00::/8", "fd00::/64"))))
    found = {frozenset(pair) for pair in ip.overlapping(networks)}
    pairs = itertools.combinations(networks, 2)
    assert found == {frozenset(pair) for pair in pairs if ip.overlaps(*(networks[key] for key in pair))}
