# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions of a mesh of three real BIRDs a change resets, as calico_bird predicts it and as it happens."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.kernel.birds import (
    SESSION2,
    SESSION3,
    Bird,
    changed,
    is_same,
    with_session,
)
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.bird_fixtures"]

BOTH = [SESSION2, SESSION3]
PASSWORD = {"name": "bgp", "key": "node2", "optional": False}
PASSWORDS = {"bgp": {"node2": "a word for two", "unused": "nobody names it"}}


def reflect(bgp: Result) -> None:
    bgp["cluster_id"] = "224.0.0.1"
    bgp["sessions"][0]["rr_client"] = True


# What is changed, and which sessions are reset by it.
RESETTING: dict[str, tuple[t.Callable[[Result], t.Any], list[str]]] = {
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


def reset(bird: Bird, since: dict[str, float]) -> list[str]:
    """Return the sessions that are others than at these times."""
    now = bird.since()
    return [session for session in BOTH if not is_same(since, now, session)]


def test_predicted_resets_are_those_that_happen(mesh: tuple[Bird, Result]) -> None:
    """Back to the beginning it goes without the module, whose watch over what it does would take most of the time."""
    bird, base = mesh
    text = bird.config.read_text()
    for name, (change, expected) in RESETTING.items():
        since = bird.settled()
        done = bird.apply({**changed(base, change), "passwords": PASSWORDS, "max_routes_lost": 0})
        wait_for(lambda since=since, expected=expected: set(expected) <= set(reset(bird, since)), f"a reset by {name}")
        assert (name, done["sessions_reset"], reset(bird, since)) == (name, expected, expected)
        back = bird.module("calico_bird", base, check=True)
        assert (name, back["sessions_reset"]) == (name, expected)
        bird.go_back(text)
        wait_for(lambda: bird.established(*BOTH))
