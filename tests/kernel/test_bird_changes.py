# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calico_bird predicts of a change to a mesh of three real BIRDs, and what the sessions then do."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.kernel.birds import (
    SESSION2,
    SESSION3,
    Bird,
    Birds,
    block,
    changed,
    same,
    with_session,
)
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.bird_fixtures"]

BOTH = [SESSION2, SESSION3]
NEW_BLOCK = "10.244.255.0/26"
POOL = {"cidr": "10.99.0.0/16", "block_size": 26, "tunnel": "", "cross_subnet": False, "exported": True}
FILTER = {
    "name": "no-test",
    "rules": {"importV4": [{"action": "Reject", "matchOperator": "In", "cidr": "10.99.0.0/16"}]},
}


def with_family(**options: t.Any) -> t.Callable[[Result], None]:
    return lambda bgp: bgp["families"][0].update(options)


def add_session(bgp: Result) -> None:
    bgp["sessions"].append({**bgp["sessions"][0], "name": "bgp_192_0_2_99", "address": "192.0.2.99", "peer": None})


def add_filter(bgp: Result) -> None:
    bgp["filters"].append(FILTER)
    bgp["sessions"][0]["filters"] = ["no-test"]


def add_pool(bgp: Result) -> None:
    bgp["families"][0]["pools"].append(POOL)


def add_block(bgp: Result) -> None:
    bgp["families"][0]["blocks"].append(NEW_BLOCK)


def hide_pool(bgp: Result) -> None:
    bgp["families"][0]["pools"][0]["exported"] = False


# What is changed without a reset of any session.
KEEPING: dict[str, t.Callable[[Result], t.Any]] = {
    "pool added": add_pool,
    "block added": add_block,
    "pool not exported": hide_pool,
    "services": with_family(services=["10.96.0.0/12"]),
    "communities": with_family(advertisements=[{"cidr": "10.244.0.0/16", "communities": ["64512:1"]}]),
    "priority": with_family(priority=512),
    "filter": add_filter,
    "peer added": add_session,
    "kind of the session": with_session(kind="node"),
    "next hop": with_session(next_hop="self"),
    "logging": lambda bgp: bgp.update(debug="all"),
}


def test_no_session_is_reset_by_what_concerns_routes(mesh: tuple[Bird, Result]) -> None:
    """Each change comes beside those before it, and all are taken back at once."""
    bird, base = mesh
    wanted, since = base, bird.since()
    for name, change in KEEPING.items():
        wanted = changed(wanted, change)
        done = bird.apply({**wanted, "max_routes_lost": 0})
        assert (name, done["changed"], done["sessions_reset"]) == (name, True, [])
        assert (name, {session: bird.since()[session] for session in since}) == (name, same(since))
    assert bird.apply(base)["sessions_reset"] == []
    assert bird.since() == same(since)


def test_bfd_is_switched_without_a_reset(mesh: tuple[Bird, Result]) -> None:
    bird, base = mesh
    since = bird.since()
    assert bird.apply({**base, "bfd": True})["sessions_reset"] == []
    assert "podnet_bfd" in bird.ask("show protocols")
    assert bird.since() == same(since)
    assert bird.apply(base)["changed"] is True
    assert bird.since() == same(since)


def test_an_added_peer_is_the_one_session_of_the_diff(mesh: tuple[Bird, Result]) -> None:
    bird, base = mesh
    shown = bird.module("calico_bird", changed(base, add_session), check=True)
    assert [(c["action"], c["name"]) for c in shown["changes"] if c["kind"] == "session"] == [
        ("create", "bgp_192_0_2_99")
    ]
    assert shown["sessions_added"] == ["bgp_192_0_2_99"]
    assert 'session bgp_192_0_2_99\n  address: "192.0.2.99"\n' in shown["diff"]["after"]


def test_the_diff_says_what_is_other_and_that_it_resets(mesh: tuple[Bird, Result]) -> None:
    bird, base = mesh
    shown = bird.module("calico_bird", changed(base, with_session(keepalive_time=10)), check=True)["diff"]
    before, after = (side[side.index(f"session {SESSION2}") :].splitlines() for side in shown.values())
    assert [line for line in before if line not in after and "digest" not in line] == ['  keepalive time: "30"']
    new = ['  keepalive time: "10"', "  resets: true"]
    assert [line for line in after if line not in before and "digest" not in line] == new


def test_blocks_and_pools_come_and_go(mesh: tuple[Bird, Result], birds: Birds) -> None:
    bird, base = mesh
    own = block(base)
    since = bird.since()
    done = bird.apply(changed(base, add_block))
    assert (done["prefixes_announced"], done["prefixes_withdrawn"]) == ([NEW_BLOCK], [])
    wait_for(lambda: NEW_BLOCK in birds[1].kernel_routes())
    done = bird.apply(changed(base, hide_pool))
    assert (done["prefixes_announced"], done["prefixes_withdrawn"]) == ([], sorted([own, NEW_BLOCK]))
    wait_for(lambda: not {own, NEW_BLOCK} & set(birds[1].kernel_routes()))
    assert bird.since() == same(since)


def test_a_pool_that_goes_away_takes_its_routes_along(mesh: tuple[Bird, Result]) -> None:
    bird, base = mesh
    gone = changed(base, lambda bgp: bgp["families"][0].update(pools=[POOL], blocks=[]))
    since = bird.since()
    assert bird.apply(gone)["prefixes_withdrawn"] == [block(base)]
    assert bird.kernel_routes() == {}
    assert bird.since() == same(since)
