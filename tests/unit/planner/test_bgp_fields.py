# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each field of a BGPPeer in the session that it gives, and on the other side of it."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import SecretKey
from ansible_collections.podnet.calico.tests.unit.planner.clusters import document
from ansible_collections.podnet.calico.tests.unit.planner.three_nodes import NO_MESH, Spec, bgp, peer, sessions

# By a field of a peer of node c with a router: the field of the session.
FIELDS: dict[str, tuple[Spec, Spec]] = {
    "nothing": (
        {},
        {
            "remote_as": 64513,
            "local_as": 65000,
            "port": 179,
            "peer": None,
            "source": "10.0.0.11",
            "passive": False,
            "next_hop": "auto",
            "password": None,
            "restart_time": None,
            "keepalive_time": None,
            "allowed_local_as": None,
            "ttl_security": None,
            "reachable_by": None,
            "filters": (),
        },
    ),
    "asNumber": ({"asNumber": "1.0"}, {"remote_as": 65536}),
    "localASNumber": ({"localASNumber": 64999}, {"local_as": 64999}),
    "sourceAddress None": ({"sourceAddress": "None"}, {"source": None}),
    "sourceAddress UseNodeIP": ({"sourceAddress": "UseNodeIP"}, {"source": "10.0.0.11"}),
    "nextHopMode Auto": ({"nextHopMode": "Auto"}, {"next_hop": "auto"}),
    "nextHopMode Self": ({"nextHopMode": "Self"}, {"next_hop": "self"}),
    "nextHopMode Keep": ({"nextHopMode": "Keep"}, {"next_hop": "keep"}),
    "nextHopMode Keep, one AS": ({"nextHopMode": "Keep", "asNumber": 65000}, {"next_hop": "keep"}),
    "keepOriginalNextHop": ({"keepOriginalNextHop": True}, {"next_hop": "keep"}),
    "keepOriginalNextHop, one AS": ({"keepOriginalNextHop": True, "asNumber": 65000}, {"next_hop": "auto"}),
    "keepOriginalNextHop, one AS by localASNumber": (
        {"keepOriginalNextHop": True, "localASNumber": 64513},
        {"next_hop": "auto"},
    ),
    "keepOriginalNextHop, two AS by localASNumber": (
        {"keepOriginalNextHop": True, "asNumber": 65000, "localASNumber": 64999},
        {"next_hop": "keep"},
    ),
    "password": (
        {"password": {"secretKeyRef": {"name": "bgp", "key": "tor"}}},
        {"password": SecretKey("bgp", "tor", optional=False)},
    ),
    "maxRestartTime": ({"maxRestartTime": "1m30s"}, {"restart_time": 90}),
    "keepaliveTime": ({"keepaliveTime": "20s"}, {"keepalive_time": 20}),
    "numAllowedLocalASNumbers": ({"numAllowedLocalASNumbers": 2}, {"allowed_local_as": 2}),
    "numAllowedLocalASNumbers 0": ({"numAllowedLocalASNumbers": 0}, {"allowed_local_as": None}),
    "ttlSecurity": ({"ttlSecurity": 1}, {"ttl_security": 1}),
    "ttlSecurity 0": ({"ttlSecurity": 0}, {"ttl_security": None}),
    "reachableBy": ({"reachableBy": "10.0.0.1"}, {"reachable_by": "10.0.0.1"}),
    "filters": ({"filters": ["z", "a"]}, {"filters": ("z", "a")}),
}
FILTERS = [document("BGPFilter", name, exportV4=[{"action": "Accept"}]) for name in ("z", "a", "unused")]


@pytest.mark.parametrize(("spec", "expected"), FIELDS.values(), ids=FIELDS)
def test_fields_of_a_peer(spec: Spec, expected: Spec) -> None:
    made = bgp("c", NO_MESH, *FILTERS, peer(**{"node": "c", "peerIP": "192.0.2.1", "asNumber": 64513, **spec}))
    assert {key: getattr(made.sessions[0], key) for key in expected} == expected


# By a field of a peer of node c with node a: what is so on c's side, and what on a's.
MIRRORED: dict[str, tuple[Spec, Spec, Spec]] = {
    "localASNumber": (
        {"localASNumber": 64999},
        {"local_as": 64999, "remote_as": 65000},
        {"local_as": 65000, "remote_as": 64999},
    ),
    "sourceAddress": ({"sourceAddress": "None"}, {"source": None}, {"source": None}),
    "node's address": ({}, {"source": "10.0.0.11"}, {"source": "10.0.0.9"}),
    "nextHopMode": ({"nextHopMode": "Self"}, {"next_hop": "self"}, {"next_hop": "self"}),
    "keepOriginalNextHop": (
        {"keepOriginalNextHop": True, "localASNumber": 64999},
        {"next_hop": "keep"},
        {"next_hop": "auto"},
    ),
    "password": (
        {"password": {"secretKeyRef": {"name": "bgp", "key": "rr"}}},
        {"password": SecretKey("bgp", "rr")},
        {"password": SecretKey("bgp", "rr")},
    ),
    "times": (
        {"maxRestartTime": "90s", "keepaliveTime": "20s"},
        {"restart_time": 90, "keepalive_time": 20},
        {"restart_time": 90, "keepalive_time": 20},
    ),
    "ttlSecurity": ({"ttlSecurity": 2}, {"ttl_security": 2}, {"ttl_security": 2}),
    "filters": ({"filters": ["a"]}, {"filters": ("a",)}, {"filters": ("a",)}),
    "reachableBy": (
        {"peerSelector": None, "peerIP": "10.0.0.9", "asNumber": 65000, "reachableBy": "10.0.0.1"},
        {"reachable_by": "10.0.0.1"},
        {"reachable_by": None},
    ),
    "numAllowedLocalASNumbers": ({"numAllowedLocalASNumbers": 1}, {"allowed_local_as": 1}, {"allowed_local_as": None}),
}


@pytest.mark.parametrize(("spec", "forward", "back"), MIRRORED.values(), ids=MIRRORED)
def test_fields_on_both_sides_of_a_peer(spec: Spec, forward: Spec, back: Spec) -> None:
    given = {"node": "c", "peerSelector": "name == 'a'", **spec}
    documents = [NO_MESH, *FILTERS, peer(**{key: value for key, value in given.items() if value is not None})]
    for name, other, expected in (("c", "9", forward), ("a", "11", back)):
        found = sessions(bgp(name, *documents))[other]
        assert {key: getattr(found, key) for key in expected} == expected


def test_filters_of_a_node_are_those_that_its_sessions_name() -> None:
    made = bgp("c", NO_MESH, *FILTERS, peer(node="c", peerIP="192.0.2.1", asNumber=64513, filters=["z", "a"]))
    assert [found.name for found in made.filters] == ["a", "z"]
    assert set(made.filters[0].rules) == {"exportV4"}
    assert bgp("a", NO_MESH, *FILTERS, peer(node="c", peerIP="192.0.2.1", asNumber=64513, filters=["z"])).filters == ()
