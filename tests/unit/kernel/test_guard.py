# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard without a kernel: options, the rules that they need in nft's words, and the changes between two guards."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat import NOTHING, SETS, Nat, parse, plan, wanted
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import (
    Command,
    Table,
    anew,
    commands,
    observed,
    placed,
)
from ansible_collections.podnet.calico.plugins.module_utils.persist import nft_text
from ansible_collections.podnet.calico.tests.unit.kernel.test_nat import listing

POOLS = parse({"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16"], "exclude": [], "tunnels": []})


def guarding(**options: t.Any) -> guard.Guard:
    given = {"nodes": ["192.0.2.12"], "encapsulations": ["vxlan"], "uplinks": ["eth0"], **options}
    found = guard.parse(given)
    assert found is not None
    return found


def lines(of: Nat = POOLS, /, **options: t.Any) -> list[str]:
    """Return the rules of a table as nft shows them, without counters and comments."""
    shown = [line.strip() for line in nft_text.text(wanted(of, guarding(**options))).splitlines()]
    return [line.partition(" comment ")[0].replace("counter ", "") for line in shown if " comment " in line]


def steps(before: guard.Guard | None, after: guard.Guard | None) -> list[Command]:
    return commands(observed(listing(wanted(POOLS, before)), SETS), wanted(POOLS, after))


def test_no_options_are_no_guard() -> None:
    assert guard.parse(None) is None
    assert wanted(NOTHING) == Table({}, {})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"nodes": ["192.0.2.0/24"]}, 'guard: nodes: "192.0.2.0/24" is not an address'),
        ({"nodes": ["fe80::1%eth0"]}, 'guard: nodes: "fe80::1%eth0" is not an address'),
        ({"encapsulations": ["gre"]}, 'guard: encapsulations: "gre" is unknown'),
        ({"uplinks": ["eth*"]}, 'guard: uplinks: "eth*" is not the name of a device'),
    ],
)
def test_options_that_cannot_be_used(given: dict[str, t.Any], text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        guarding(**given)
    assert text in str(raised.value)
    assert raised.value.remedy


POD_RULES = [
    "fib saddr . iif oif missing drop",
    "ip daddr 127.0.0.0/8 drop",
    "meta l4proto 4 drop",
    "udp dport 4789 drop",
    "icmpv6 type { nd-router-advert, nd-redirect } drop",
]
CASES: dict[str, tuple[dict[str, t.Any], list[str], list[str]]] = {
    "VXLAN": (
        {},
        [
            "udp dport 4789 ip saddr @nodes4 notrack accept",
            "udp dport 4789 @th,96,24 != 0x1000 accept",
            "udp dport 4789 fib daddr type != unicast drop",
        ],
        ["ip protocol 4 drop", "ip protocol 4 ip saddr @nodes4 notrack accept"],
    ),
    "IPIP": (
        {"encapsulations": ["ipip"]},
        ["ip protocol 4 ip saddr @nodes4 notrack accept", "ip protocol 4 fib daddr type != unicast drop"],
        ["udp dport 4789 ip saddr @nodes4 notrack accept"],
    ),
    "no tunnel": ({"encapsulations": []}, [], ["notrack"]),
    "pods behind an uplink that is named like theirs": (
        {"uplinks": ["veth0", "cali0"]},
        ['iifname "veth*" iifname != "veth0" jump containers', 'iifname "cali*" iifname != "cali0" goto pods'],
        [],
    ),
}


@pytest.mark.parametrize(("options", "there", "not_there"), CASES.values(), ids=CASES)
def test_rules_in_the_words_of_nft(options: dict[str, t.Any], there: list[str], not_there: list[str]) -> None:
    found = lines(**options)
    assert [line for line in [*POD_RULES, *there] if line not in found] == []
    assert [line for line in found if any(word in line for word in not_there)] == []


def test_containers_are_judged_only_where_the_pod_network_is_concerned() -> None:
    found = lines()
    judged = found[found.index("ip saddr @pools4 goto pods") : found.index(POD_RULES[0])]
    assert judged == [
        "ip saddr @pools4 goto pods",
        "ip daddr @pools4 goto pods",
        "ip saddr @nodes4 goto pods",
        "ip daddr 127.0.0.0/8 goto pods",
        "fib saddr type local goto pods",
        POD_RULES[-1],
    ]


@pytest.mark.parametrize(
    ("pools", "kinds"), [(["fd00:1::/64"], ["ipip"]), ([], ["ipip", "vxlan"])], ids=["IPIP for IPv6", "no pools"]
)
def test_tunnels_that_no_pool_can_use_are_not_closed(pools: list[str], kinds: list[str]) -> None:
    of = parse({"masquerade": [], "pools": pools, "exclude": [], "tunnels": []})
    assert [line for line in lines(of, encapsulations=kinds) if "fib daddr type != unicast" in line] == []


def test_what_a_newer_nft_says_is_the_same() -> None:
    """Since 1.1.4 it asks whether there is a route by another word."""
    listed = listing(wanted(POOLS, guarding()))
    text = json.dumps(listed)
    assert '"result": "oif"' in text
    newer = json.loads(text.replace('"result": "oif"', '"result": "check"'))
    assert plan(observed(newer, SETS), wanted(POOLS, guarding())) == []


def test_a_rule_that_comes_too_late_is_put_where_it_belongs() -> None:
    listed = listing(wanted(POOLS, guarding()))
    first = next(entry for entry in listed if entry.get("rule", {}).get("comment") == "VXLAN of nodes IPv4")
    there = observed([*(entry for entry in listed if entry is not first), first], SETS)
    needed = wanted(POOLS, guarding())
    assert plan(there, needed) == []
    (change,) = plan(placed(there, needed), needed)
    assert (change.action, change.name) == ("replace", "rule VXLAN of nodes IPv4")
    assert plan(placed(observed(listed, SETS), needed), needed) == []


def test_there_is_a_guard_where_nothing_is_masqueraded() -> None:
    direct = POOLS._replace(masquerade=[])
    assert [line for line in lines(direct) if "masquerade" in line] == []
    assert POD_RULES[0] in lines(direct)


def test_a_cluster_of_one_node_takes_no_packets_of_tunnels() -> None:
    (made,) = [
        command["add"]["set"]
        for command in anew(wanted(POOLS, guarding(nodes=[])))
        if command.get("add", {}).get("set", {}).get("name") == "nodes4"
    ]
    assert "elem" not in made


def test_the_guard_comes_and_goes_beside_nat() -> None:
    (added, *__) = came = steps(None, guarding())
    assert "table" not in added["add"]
    assert {verb for step in came for verb in step} == {"add"}
    gone = steps(guarding(), None)
    assert {verb for step in gone for verb in step} == {"delete"}
    kinds = [next(iter(step["delete"])) for step in gone]
    assert kinds == sorted(kinds, key=["rule", "set", "chain"].index), "what uses something goes before it"


def test_only_nodes_that_differ_are_touched() -> None:
    found = steps(guarding(nodes=["192.0.2.12", "192.0.2.13"]), guarding(nodes=["192.0.2.13", "192.0.2.14"]))
    assert [(verb, data["element"]["elem"]) for step in found for verb, data in step.items()] == [
        ("delete", ["192.0.2.12"]),
        ("add", ["192.0.2.14"]),
    ]


def test_a_rule_is_put_before_the_next_one_of_its_own_chain() -> None:
    there = observed(listing(wanted(POOLS, guarding())), SETS)
    inserted = [step["insert"]["rule"] for step in steps(guarding(), guarding(encapsulations=["ipip", "vxlan"]))
                if "insert" in step]  # fmt: skip
    chains = {
        there.handles[title]: data["chain"] for title, data in there.definitions.items() if title in there.handles
    }
    assert inserted
    assert [rule for rule in inserted if chains[rule["handle"]] != rule["chain"]] == []


def test_changes_of_the_guard_have_a_kind_of_their_own() -> None:
    before, after = (observed(listing(wanted(POOLS, guarding(nodes=nodes))), SETS) for nodes in ([], ["192.0.2.12"]))
    assert [(change.kind, change.name) for change in plan(before, after)] == [("guard", "node 192.0.2.12")]
    assert {change.kind for change in plan(observed(listing(wanted(POOLS)), SETS), before)} == {"guard"}
    assert {change.kind for change in plan(Table({}, {}), before)} == {"guard", "nat"}
