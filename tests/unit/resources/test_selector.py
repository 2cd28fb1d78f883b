# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors: the grammar, absent labels, canonical spelling, and errors that show the place."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import selector_nodes as nodes
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import MAX_DEPTH, parse

LABELS = {"rack": "r1", "zone": "north-east", "has": "yes", "a.b/c_d-e": "1", "empty": ""}

MATCHES = [
    ("", True),
    (" \t", True),
    ("all()", True),
    ("all( )", True),
    ("!all()", False),
    ('rack == "r1"', True),
    ("rack=='r1'", True),
    ('rack == "R1"', False),
    ('rack != "r1"', False),
    ('rack != "r2"', True),
    ('empty == ""', True),
    ("has(empty)", True),
    ("has( rack )", True),
    ("!has(rack)", False),
    ("!!has(rack)", True),
    ("! ! !has(rack)", False),
    ('has == "yes"', True),
    ('a.b/c_d-e == "1"', True),
    ('zone contains "th-e"', True),
    ('zone starts with "north"', True),
    ('zone startswith "east"', False),
    ('zone ends with "east"', True),
    ('zone endswith "north"', False),
    ('rack in {"r1", "r2"}', True),
    ("rack in{'r2',}", False),
    ("rack in {}", False),
    ("rack not in {}", True),
    ('rack notin {"r1"}', False),
    ('rack == "r2" || rack == "r1" && has(zone)', True),
    ('rack == "r1" || has(zone) && has(absent)', True),
    ('(rack == "r1" || has(zone)) && has(absent)', False),
    ('!(rack == "r1" && has(absent))', True),
]

ABSENT = [
    ('absent == "x"', False),
    ('absent != "x"', True),
    ('absent in {"x"}', False),
    ('absent not in {"x"}', True),
    ('absent contains ""', False),
    ('absent starts with ""', False),
    ('absent ends with ""', False),
    ("has(absent)", False),
    ('!(absent == "x")', True),
]

BROKEN = [
    ("rack", 5, "expected one of =="),
    ("rack = 'r1'", 6, "expected one of =="),
    ("rack == r1", 9, "a text in quotes"),
    ('rack == "r1', 9, 'a closing "'),
    ("rack in r1", 9, "expected {"),
    ('rack in {"r1" "r2"}', 15, "expected }"),
    ("has (rack)", 5, "expected one of =="),
    ("has(rack", 9, "expected )"),
    ("(has(rack)", 11, "expected )"),
    ("has(rack))", 10, "expected &&, || or the end"),
    ("has(rack) and has(zone)", 11, "expected &&, || or the end"),
    ("has(rack) & has(zone)", 11, "expected &&, || or the end"),
    ("has(rack) &&", 13, "a label name"),
    ("&& has(rack)", 1, "a label name"),
    ("rack ==\n'r1'", 8, "a text in quotes"),
    ("ünicode == 'x'", 1, "a label name"),
    ("x" * 513 + " == 'y'", 1, "at most 512"),
    ("(" * (MAX_DEPTH + 1) + "all()" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 2, "nested"),
]


@pytest.mark.parametrize(("text", "expected"), MATCHES + ABSENT, ids=[text or "empty" for text, __ in MATCHES + ABSENT])
def test_selector_chooses_by_labels(text: str, expected: bool) -> None:
    assert parse(text).matches(LABELS) is expected


@pytest.mark.parametrize(("text", "position", "expected"), BROKEN, ids=[text[:24] for text, __, __ in BROKEN])
def test_broken_selector_is_refused_at_its_place(text: str, position: int, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text, "node_selector")
    assert caught.value.message.startswith("node_selector ")
    assert f"at position {position} " in caught.value.message
    assert expected in caught.value.message
    assert caught.value.remedy


def test_global_chooses_what_has_no_namespace() -> None:
    assert parse("global() && all()").canonical == "(global() && all())"
    assert parse("global()").matches({})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("rack=='r1'", 'rack == "r1"'),
        ("rack in {'b','a','a'}", 'rack in {"a", "b"}'),
        ("a=='1'&&b=='2'||c=='3'", '((a == "1" && b == "2") || c == "3")'),
        ("!!(has(a))", "has(a)"),
        ("a notin {}", "a not in {}"),
        ("""a == 'say "x"'""", """a == 'say "x"'"""),
        ("", "all()"),
    ],
    ids=["quotes", "set", "groups", "double-negation", "empty-set", "inner-quotes", "empty"],
)
def test_spellings_share_one_canonical_form(text: str, canonical: str) -> None:
    assert parse(text).canonical == canonical


_labels = st.sampled_from(["rack", "zone", "in", "has", "x.y/z"])
_values = st.sampled_from(["", "r1", "r2", 'a"b', "it's"])
_leaves = st.one_of(
    st.just(nodes.All()),
    st.builds(nodes.Has, _labels),
    st.builds(nodes.Compare, _labels, st.sampled_from(["==", "!=", "contains", "starts with", "ends with"]), _values),
    st.builds(nodes.Member, _labels, st.frozensets(_values), st.booleans()),
)
_expressions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(nodes.Negation, inner),
        st.builds(nodes.Group, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(_expressions, st.dictionaries(_labels, _values))
def test_canonical_text_means_what_it_was_made_from(expression: nodes.Expression, labels: dict[str, str]) -> None:
    parsed = parse(expression.canonical())
    assert parsed.matches(labels) == expression.matches(labels)
    assert parse(parsed.canonical).canonical == parsed.canonical
