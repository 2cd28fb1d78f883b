# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Neutron, for what it may answer; tests/cloud asks a stand-in for it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs, openstack_plan

POOL = "10.244.0.0/16"
PORT = openstack_plan.Port("port-1", "server-1", "fa:16:3e:00:00:01", ("192.0.2.11",), (), True, ("group-1",), ())


def steps(made: list[needs.Step]) -> list[tuple[str, bool]]:
    """Return what is done, and whether it adds."""
    return [(step.method, step.arguments["add"]) for step in made]


def test_the_tag_is_written_before_and_deleted_after_the_pair() -> None:
    assert steps(openstack_plan.allow([PORT], [POOL])) == [("change_tags", True), ("change_pairs", True)]
    ours = PORT._replace(pairs=((POOL, PORT.mac),), tags=("podnet.calico:10.244.0.0_16",))
    assert steps(openstack_plan.take_back([ours])) == [("change_pairs", False), ("change_tags", False)]
    assert openstack_plan.take_back([ours], [POOL]) == []


@pytest.mark.parametrize(
    ("pair", "missing"),
    [
        ((POOL, PORT.mac), False),
        (("10.0.0.0/8", PORT.mac), False),
        (("0.0.0.0/0", PORT.mac), False),
        (("10.244.0.0/17", PORT.mac), True),
        ((POOL, "fa:16:3e:00:00:02"), True),
        (("::/0", PORT.mac), True),
        (("10.244.0.1", PORT.mac), True),
    ],
)
def test_a_pair_counts_if_all_of_the_pool_is_in_it(pair: tuple[str, str], missing: bool) -> None:
    assert bool(openstack_plan.allow([PORT._replace(pairs=(pair,))], [POOL])) is missing


def test_the_longest_tag_fits_into_every_neutron() -> None:
    longest = "2001:db8:1111:2222:3333:4444:5555:6680/122"
    assert len(openstack_plan.tag_of(longest)) <= 60


@pytest.mark.parametrize(("theirs", "ours"), [("ipip", "4"), (17, "udp"), (None, ""), ("any", ""), ("sctp", "sctp")])
def test_protocols_have_several_spellings(theirs: t.Any, ours: str) -> None:
    assert openstack_plan.spelling(theirs) == ours
