# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing NAT without a kernel: options, the table that they need, what nft lists, and the changes between the two."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat import (
    NOTHING,
    SETS,
    Nat,
    parse,
    plan,
    wanted,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat_table import Table, anew, commands, observed
from ansible_collections.podnet.calico.plugins.module_utils.persist import nft_text

Json = t.Dict[str, t.Any]


def options(**given: t.Any) -> Json:
    return {"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16"], "exclude": [], "tunnels": [], **given}


def nat(**given: t.Any) -> Nat:
    return parse(options(**given))


def listing(table: Table) -> list[Json]:
    """Return what nft would list after the commands that make a table, handles included."""
    added = [command["add"] for command in anew(table) if "add" in command][1:]
    listed = [{kind: {**data, "handle": number}} for number, entry in enumerate(added) for kind, data in entry.items()]
    return [{"metainfo": {"version": "1.0.6"}}, *listed]


def found(nat: Nat) -> Table:
    """Return the table of NAT as it is read again."""
    return observed(listing(wanted(nat)), SETS)


def test_options_become_networks_in_their_order_and_once() -> None:
    made = nat(
        pools=["10.245.0.0/16", "10.244.0.0/16", "10.245.0.0/16"], exclude=["192.0.2.1"], tunnels=["b", "a", "b"]
    )
    assert [str(network) for network in made.pools] == ["10.245.0.0/16", "10.244.0.0/16"]
    assert made.exclude == [ipaddress.ip_network("192.0.2.1/32")]
    assert made.tunnels == ["b", "a"]


def test_pools_that_touch_cover_a_range_together() -> None:
    assert nat(masquerade=["10.244.0.0/15"], pools=["10.244.0.0/16", "10.245.0.0/16"]).masquerade


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"masquerade": ["10.244.0.0/15"]}, "masquerade: 10.244.0.0/15 is not within pools"),
        ({"masquerade": ["10.244.0.9/16"]}, "has host bits set"),
        ({"pools": ["10.244.0.0/33"]}, 'pools: "10.244.0.0/33"'),
        ({"pools": ["10.244.0.0"]}, "has no prefix length"),
        ({"exclude": ["192.0.2.1/24"]}, 'exclude: "192.0.2.1/24"'),
        ({"exclude": ["fe80::1%eth0"]}, 'exclude: "fe80::1%eth0"'),
        ({"tunnels": [""]}, 'tunnels: ""'),
        ({"tunnels": ["sixteen-letters."]}, 'tunnels: "sixteen-letters."'),
        ({"tunnels": ["@pools4"]}, 'tunnels: "@pools4"'),
    ],
)
def test_options_that_cannot_be_used(given: Json, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        nat(**given)
    assert text in str(raised.value)
    assert raised.value.remedy


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as raised:
        nat(masquerade=["a"], pools=["b"], exclude=["c"], tunnels=["d e"])
    assert str(raised.value).startswith("4 problems:")


@pytest.mark.parametrize("empty", [NOTHING, nat(masquerade=[], tunnels=["tunl0"])], ids=["nothing", "only a tunnel"])
def test_nothing_to_masquerade_needs_no_table(empty: Nat) -> None:
    assert wanted(empty) == Table({}, {})
    (added, deleted) = commands(Table({}, {}), wanted(empty))
    assert added["add"] == deleted["delete"] == {"table": {"family": "inet", "name": "podnet_calico"}}


def test_only_ip_versions_that_are_masqueraded_are_in_the_table() -> None:
    made = wanted(nat(pools=["10.244.0.0/16", "fd00:1::/64"], exclude=["2001:db8::1"]))
    assert list(made.definitions) == [
        "table podnet_calico",
        "set masquerade4",
        "set pools4",
        "chain postrouting",
        "rule spare IPIP",
        "rule spare VXLAN",
        "rule pods IPv4",
    ]


def test_a_new_table_takes_the_place_of_any_other_and_joins_what_touches() -> None:
    made = commands(Table({}, {}), wanted(nat(pools=["10.244.0.0/16", "10.244.3.0/24", "10.245.0.0/16"])))
    assert [next(iter(command)) for command in made[:3]] == ["add", "delete", "add"]
    sets = {command["add"]["set"]["name"]: command["add"]["set"] for command in made if "set" in command.get("add", {})}
    assert sets["pools4"]["elem"] == [{"prefix": {"addr": "10.244.0.0", "len": 15}}]


FULL = nat(
    masquerade=["10.244.0.0/16", "fd00:1::/64"],
    pools=["10.244.0.0/16", "10.244.3.0/24", "10.245.0.0/16", "fd00:1::/64"],
    exclude=["192.0.2.1", "2001:db8::/64"],
    tunnels=["tunl0", "vxlan.calico"],
)


def test_rules_in_the_words_of_nft() -> None:
    lines = [line.strip() for line in nft_text.text(wanted(FULL)).splitlines()]
    assert [line.partition(" comment ")[0] for line in lines if "masquerade fully-random" in line] == [
        "ip saddr @masquerade4 ip daddr != @pools4 ip daddr != @exclude4 masquerade fully-random",
        "ip6 saddr @masquerade6 ip6 daddr != @pools6 ip6 daddr != @exclude6 masquerade fully-random",
        *(
            f'oifname "{name}" fib saddr . oif type != local fib saddr type local masquerade fully-random'
            for name in ("tunl0", "vxlan.calico")
        ),
    ]


def test_what_was_made_is_recognised() -> None:
    assert plan(found(FULL), wanted(FULL)) == []
    assert plan(Table({}, {}), wanted(NOTHING)) == []


def spell(value: t.Any, key: str = "") -> t.Any:
    """Return a listing as other versions of nft spell it: single flags without a list, several the other way round."""
    if key == "flags":
        return value[0] if len(value) == 1 else value[::-1]
    if isinstance(value, dict):
        return {inner: spell(item, inner) for inner, item in value.items()}
    return [spell(item) for item in value] if isinstance(value, list) else value


def test_another_spelling_of_flags_and_addresses_is_the_same() -> None:
    listed = spell(listing(wanted(FULL)))
    for entry in listed:
        if entry.get("set", {}).get("name") == "exclude4":
            entry["set"]["elem"] = ["192.0.2.1"]
        if entry.get("set", {}).get("name") == "pools4":
            entry["set"]["elem"] = [{"range": ["10.244.0.0", "10.245.255.255"]}]
    assert listed != listing(wanted(FULL))
    assert plan(observed(listed, SETS), wanted(FULL)) == []


@pytest.mark.parametrize(
    "element",
    [
        {"elem": {"val": "192.0.2.9", "timeout": 60}},
        {"concat": ["192.0.2.9", "192.0.2.8"]},
        {"range": ["192.0.2.9", "192.0.2.8"]},
        "*",
        7,
    ],
    ids=str,
)
def test_an_element_that_is_no_network_is_a_difference(element: t.Any) -> None:
    listed = listing(wanted(FULL))
    next(entry["set"] for entry in listed if "set" in entry)["elem"].append(element)
    (change,) = plan(observed(listed, SETS), wanted(FULL))
    assert change.action == "delete"
    assert change.name.startswith("masquerade ")


def test_networks_in_changes_are_those_that_the_user_gave() -> None:
    there = found(nat(pools=["10.244.0.0/16", "10.245.0.0/16"]))
    needed = wanted(nat(pools=["10.244.0.0/16", "10.245.0.0/17", "10.245.128.0/17", "10.247.0.0/16"]))
    assert [(change.action, change.name) for change in plan(there, needed)] == [("create", "pool 10.247.0.0/16")]


def element_steps(before: list[str], after: list[str]) -> list[tuple[str, list[t.Any]]]:
    """Return the steps from some pools to others, each the verb and the elements; anything else is an error."""
    steps = commands(found(nat(pools=before)), wanted(nat(pools=after)))
    pairs = [(verb, data["element"]) for step in steps for verb, data in step.items()]
    assert {data["name"] for __, data in pairs} <= {"pools4"}
    return [(verb, [f"{e['prefix']['addr']}/{e['prefix']['len']}" for e in data["elem"]]) for verb, data in pairs]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["10.244.0.0/16"], ["10.244.0.0/16"], []),
        (["10.244.0.0/16"], ["10.244.0.0/16", "10.245.0.0/16"], [("add", ["10.245.0.0/16"])]),
        (["10.244.0.0/16", "10.247.0.0/16"], ["10.244.0.0/14"], [("add", ["10.245.0.0/16", "10.246.0.0/16"])]),
        (["10.244.0.0/16", "10.247.0.0/16"], ["10.244.0.0/16"], [("delete", ["10.247.0.0/16"])]),
        (
            ["10.244.0.0/15"],
            ["10.244.0.0/16"],
            [("delete", ["10.244.0.0/15"]), ("add", ["10.244.0.0/16"])],
        ),
        (["10.244.0.0/16"], ["10.244.0.0/16", "10.244.9.0/24"], []),
    ],
    ids=["the same", "one beside another", "one around two", "one less", "one shrinks", "one within another"],
)
def test_only_elements_that_differ_are_removed_and_added(
    before: list[str], after: list[str], expected: list[tuple[str, list[str]]]
) -> None:
    assert element_steps(before, after) == expected


def test_rules_are_added_where_they_belong_and_the_others_stay() -> None:
    there = found(nat(tunnels=["b", "x"]))
    (gone, first, last) = commands(there, wanted(nat(tunnels=["a", "b", "c"])))
    assert gone["delete"]["rule"]["handle"] == there.handles["rule tunnel x"]
    assert first["insert"]["rule"]["comment"] == "tunnel a"
    assert first["insert"]["rule"]["handle"] == there.handles["rule tunnel b"]
    assert last["add"]["rule"]["comment"] == "tunnel c"
    assert "handle" not in last["add"]["rule"]


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [("set", "type", "ipv6_addr"), ("set", "flags", ["dynamic"]), ("chain", "prio", 50), ("table", "flags", "dormant")],
)
def test_what_is_defined_otherwise_needs_a_new_table(kind: str, key: str, value: t.Any) -> None:
    listed = listing(wanted(FULL))
    next(entry[kind] for entry in listed if kind in entry)[key] = value
    assert commands(observed(listed, SETS), wanted(FULL)) == anew(wanted(FULL))


def test_what_cannot_be_removed_by_itself_needs_a_new_table() -> None:
    listed = [*listing(wanted(FULL)), {"counter": {"family": "inet", "table": "podnet_calico", "name": "more"}}]
    assert commands(observed(listed, SETS), wanted(FULL)) == anew(wanted(FULL))
