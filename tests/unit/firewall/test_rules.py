# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted as rules, and rules in the languages of nft, iptables, firewalld and ufw."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.firewall import firewalld, inserted, spelling, ufw
from ansible_collections.podnet.calico.plugins.module_utils.firewall.places import NFT, Place
from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule, parse, rules

ALL = {
    "open": ["ip protocol 4", "udp 4789", "tcp 179"],
    "nodes": ["192.0.2.12", "192.0.2.13", "2001:db8::12"],
    "pods": ["10.244.0.0/16", "fd00::/48"],
    "clients": ["198.51.100.0/24"],
}
PEERS = [
    {"address": "203.0.113.1", "port": 179, "local_port": 1179},
    {"address": "203.0.113.2", "port": 179, "local_port": 1179},
    {"address": "203.0.113.9", "port": 1790, "local_port": 1179},
    {"address": "2001:db8::1", "port": 179, "local_port": 1179},
]
NONE: dict[str, list[str]] = {name: [] for name in ALL}
INPUT = Place(NFT, "inet filter", "input", "input", "policy drop")


def spelled(hook: str, **options: t.Any) -> list[str]:
    return [spelling.nft(rule) for rule in rules(parse({**NONE, **options})) if rule.hook == hook]


def test_input_is_from_the_nodes_alone_and_ipip_is_of_ipv4() -> None:
    assert spelled("input", **{name: ALL[name] for name in ("open", "nodes")}) == [
        "ip saddr 192.0.2.12/31 ip protocol 4 accept",
        "ip saddr 192.0.2.12/31 udp dport 4789 accept",
        "ip saddr 192.0.2.12/31 tcp dport 179 accept",
        "ip saddr 192.0.2.12/31 tcp sport 179 ct state established,related accept",
        "ip6 saddr 2001:db8::12 udp dport 4789 accept",
        "ip6 saddr 2001:db8::12 tcp dport 179 accept",
        "ip6 saddr 2001:db8::12 tcp sport 179 ct state established,related accept",
    ]


def test_output_is_to_the_nodes() -> None:
    assert spelled("output", open=["udp 4789"], nodes=["192.0.2.12"]) == ["ip daddr 192.0.2.12 udp dport 4789 accept"]


def test_pods_send_anywhere_and_are_sent_to_by_nodes_clients_and_in_answer() -> None:
    assert spelled("forward", nodes=["192.0.2.12"], pods=["10.244.0.0/16"], clients=["198.51.100.0/24"]) == [
        "ip saddr 10.244.0.0/16 accept",
        "ip daddr 10.244.0.0/16 ct state established,related accept",
        "ip saddr { 192.0.2.12, 198.51.100.0/24 } ip daddr 10.244.0.0/16 accept",
    ]


def test_without_nodes_nothing_is_let_in() -> None:
    assert rules(parse({**NONE, "open": ["udp 4789"], "clients": ["198.51.100.0/24"]})) == []


def test_bgp_peers_are_let_in_for_bgp_alone() -> None:
    assert spelled("input", peers=PEERS) == [
        "ip saddr { 203.0.113.1, 203.0.113.2 } tcp dport 1179 accept",
        "ip saddr { 203.0.113.1, 203.0.113.2 } tcp sport 179 ct state established,related accept",
        "ip saddr 203.0.113.9 tcp dport 1179 accept",
        "ip saddr 203.0.113.9 tcp sport 1790 ct state established,related accept",
        "ip6 saddr 2001:db8::1 tcp dport 1179 accept",
        "ip6 saddr 2001:db8::1 tcp sport 179 ct state established,related accept",
    ]
    assert spelled("output", peers=PEERS[2:]) == [
        "ip daddr 203.0.113.9 tcp dport 1790 accept",
        "ip daddr 203.0.113.9 tcp sport 1179 ct state established,related accept",
        "ip6 daddr 2001:db8::1 tcp dport 179 accept",
        "ip6 daddr 2001:db8::1 tcp sport 1179 ct state established,related accept",
    ]
    assert spelled("forward", peers=PEERS) == []


@pytest.mark.parametrize(("address", "port"), [("203.0.113.0/24", 179), ("router1", 179), ("203.0.113.1", 0)])
def test_peers_that_cannot_be_used_are_refused(address: str, port: int) -> None:
    with pytest.raises(InvalidInput, match="peers"):
        parse({**ALL, "peers": [{"address": address, "port": 179, "local_port": port}]})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("open", "udp"),
        ("open", "sctp 179"),
        ("open", "tcp 0"),
        ("open", "tcp 65536"),
        ("open", "ip protocol 256"),
        ("open", "tcp 179; drop"),
        ("nodes", "node2"),
        ("nodes", "192.0.2.0/24"),
        ("pods", "10.244.0.1/16"),
        ("clients", "any"),
    ],
)
def test_what_cannot_be_used_is_refused(option: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=option):
        parse({**ALL, option: [value]})


@pytest.mark.parametrize(
    ("shown", "ours"),
    [
        ("ip saddr { 192.0.2.12-192.0.2.14 } accept", "ip saddr { 192.0.2.12/31, 192.0.2.14 } accept"),
        ("ip saddr { 192.0.2.12, 192.0.2.13 } accept", "ip saddr 192.0.2.12/31 accept"),
        ("ct state { established, related } accept", "ct state { established, related } accept"),
    ],
)
def test_what_nft_joins_is_the_same(shown: str, ours: str) -> None:
    assert spelling.of_nft(shown) == ours


def test_iptables_has_a_rule_for_each_source_and_destination() -> None:
    rule = Rule("forward", 4, ("192.0.2.12", "198.51.100.0/24"), ("10.244.0.0/16",))
    assert spelling.iptables(rule) == [
        "-s 192.0.2.12/32 -d 10.244.0.0/16 -j ACCEPT",
        "-s 198.51.100.0/24 -d 10.244.0.0/16 -j ACCEPT",
    ]
    assert spelling.iptables(Rule("input", 6, ("2001:db8::12",), protocol="tcp", from_port=179, established=True)) == [
        "-s 2001:db8::12/128 -p tcp -m tcp --sport 179 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    ]
    assert spelling.of_iptables(" -s 192.0.2.12/32 -p ipencap -j ACCEPT") == "-s 192.0.2.12/32 -p 4 -j ACCEPT"
    assert spelling.of_iptables("-s 192.0.2.12/32 -p ipip -j ACCEPT") == "-s 192.0.2.12/32 -p ipip -j ACCEPT", (
        "it is 94"
    )


@pytest.mark.parametrize(
    ("table", "count"), [("inet filter", 7), ("ip filter", 4), ("ip6 filter", 3)], ids=["both", "IPv4", "IPv6"]
)
def test_a_place_gets_the_rules_of_its_hook_and_family(table: str, count: int) -> None:
    assert len(INPUT._replace(table=table).lines(rules(parse(ALL)))) == count


def test_the_script_names_places_and_rules() -> None:
    rule = "ip saddr 192.0.2.12 udp dport 4789 accept"
    text = inserted.script({INPUT: [rule]})
    block = f"nft_chain 'inet filter' input podnet_calico_input <<'END'\n{rule}\nEND\n"
    assert block in text
    assert text.startswith("#!/bin/sh\n# Managed by podnet.calico")


def test_firewalld_has_no_more_than_what_its_rules_need() -> None:
    every = firewalld.texts(rules(parse(ALL)))
    assert sorted(path.rpartition("/")[2] for path in every) == [
        "podnet-clients4.xml",
        "podnet-clients6.xml",
        "podnet-nodes.xml",
        "podnet-nodes4.xml",
        "podnet-nodes6.xml",
        "podnet-pods.xml",
    ]
    assert all(firewalld.MARK in text for text in every.values())
    assert firewalld.texts([]) == {}
    peers = firewalld.texts(rules(parse({**NONE, "peers": PEERS})))
    assert [path.rpartition("/")[2] for path in peers] == ["podnet-nodes.xml"]
    assert next(iter(peers.values())).count('<port port="1179" protocol="tcp"/>') == len(PEERS)


def test_the_block_of_ufw_comes_last_in_the_table_and_goes_without_a_trace() -> None:
    text = "*nat\n:A - [0:0]\nCOMMIT\n*filter\n:ufw-before-input - [0:0]\n\n# last\nCOMMIT\n"
    wanted = ufw.lines(rules(parse({**NONE, "open": ["ip protocol 4"], "nodes": ["192.0.2.12"]})), 4)
    assert wanted[0] == "-A ufw-before-input -s 192.0.2.12/32 -p 4 -m comment --comment podnet.calico -j ACCEPT"
    changed = ufw._with(text, wanted)
    assert changed.startswith(text[: -len("COMMIT\n")])
    assert changed.endswith("# podnet.calico: end\nCOMMIT\n")
    assert ufw._with(changed, wanted) == changed
    assert ufw._with(changed, []) == text
    with pytest.raises(Conflict):
        ufw._with("", wanted)
