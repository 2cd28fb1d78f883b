# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calico_bird predicts of a change to a mesh of three real BIRDs, and what the sessions then do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.birds import (
    SESSION2,
    SESSION3,
    THREE,
    Bird,
    Birds,
    block,
    changed,
    planned,
    same,
    start_mesh,
    wait_for,
)
from ansible_collections.podnet.calico.tests.kernel.net import Result

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.bird_fixtures"]

BOTH = [SESSION2, SESSION3]
NEW_BLOCK = "10.244.255.0/26"
POOL = {"cidr": "10.99.0.0/16", "block_size": 26, "tunnel": "", "cross_subnet": False, "exported": True}
FILTER = {
    "name": "no-test",
    "rules": {"importV4": [{"action": "Reject", "matchOperator": "In", "cidr": "10.99.0.0/16"}]},
}
PASSWORD = {"name": "bgp", "key": "node2", "optional": False}


def with_session(**options: t.Any) -> t.Callable[[Result], None]:
    """Return a change of the options of the session with node2."""
    return lambda bgp: bgp["sessions"][0].update(options)


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


def reflect(bgp: Result) -> None:
    bgp["cluster_id"] = "224.0.0.1"
    bgp["sessions"][0]["rr_client"] = True


# What is changed, and which sessions are reset by it.
CHANGES: dict[str, tuple[t.Callable[[Result], t.Any], list[str]]] = {
    "pool added": (add_pool, []),
    "block added": (add_block, []),
    "pool not exported": (hide_pool, []),
    "services": (with_family(services=["10.96.0.0/12"]), []),
    "communities": (with_family(advertisements=[{"cidr": "10.244.0.0/16", "communities": ["64512:1"]}]), []),
    "priority": (with_family(priority=512), []),
    "filter": (add_filter, []),
    "peer added": (add_session, []),
    "kind of the session": (with_session(kind="node"), []),
    "next hop": (with_session(next_hop="self"), []),
    "logging": (lambda bgp: bgp.update(debug="all"), []),
    "password": (with_session(password=PASSWORD), [SESSION2]),
    "AS of the peer": (with_session(remote_as=64513), [SESSION2]),
    "own AS": (with_session(local_as=64513), [SESSION2]),
    "port of the peer": (with_session(port=1790), [SESSION2]),
    "who connects": (lambda bgp: bgp["sessions"][0].update(passive=not bgp["sessions"][0]["passive"]), [SESSION2]),
    "keepalive": (with_session(keepalive_time=10), [SESSION2]),
    "restart time": (with_session(restart_time=30), [SESSION2]),
    "TTL security": (with_session(ttl_security=2), [SESSION2]),
    "loops allowed": (with_session(allowed_local_as=1), [SESSION2]),
    "reflector client": (with_session(rr_client=True), [SESSION2]),
    "cluster ID": (reflect, BOTH),
    "port of our own": (lambda bgp: bgp.update(listen_port=1179), BOTH),
    "router ID": (lambda bgp: bgp.update(router_id="192.0.2.111"), BOTH),
    "bound to the node's address": (lambda bgp: bgp.update(bind_to_node=True), BOTH),
}
PASSWORDS = {"bgp": {"node2": "a word for two", "unused": "nobody names it"}}


@pytest.fixture
def mesh(birds: Birds) -> tuple[Bird, Result]:
    """Return node1 of a mesh of three, and its parameters."""
    plan = planned(nodes=THREE)
    start_mesh(birds, plan)
    return birds[0], plan["node1"]


def test_predicted_resets_are_those_that_happen(mesh: tuple[Bird, Result]) -> None:
    bird, base = mesh
    for name, (change, expected) in CHANGES.items():
        wait_for(lambda: bird.established(*BOTH), 40)
        since = bird.since()
        done = bird.apply({**changed(base, change), "passwords": PASSWORDS, "max_routes_lost": 0})
        now = bird.since()
        reset = [session for session in BOTH if now[session] != pytest.approx(since[session], abs=0.05)]
        assert (name, done["sessions_reset"], reset) == (name, expected, expected)
        back = bird.apply(base)
        assert (name, back["sessions_reset"]) == (name, expected)


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
