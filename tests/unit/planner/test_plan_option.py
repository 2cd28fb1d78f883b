# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules make of their option plan, whole or compact."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.agreement import Wish, agree
from ansible_collections.podnet.calico.plugins.modules import calico_bird, calico_bird_info, calico_firewall
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    THREE_NODES,
    cluster,
    document,
    node,
    pool,
    seen,
)

Plan = t.Dict[str, t.Any]

NODES = [node(name, address) for name, address in THREE_NODES.items()]
TOR = document("BGPPeer", "tor", peerIP="203.0.113.1", asNumber=65000)
HERE = {name: THREE_NODES[name] for name in ("node1", "node2")}


def compact(encapsulation: str, *, before: str = "", hosts: t.Mapping[str, str] = HERE, **options: t.Any) -> Plan:
    """Return the compact plan of node1 in a run on some of three nodes; before: the mode that is stored."""
    stored = cluster(pool(encapsulation=before), extra=[TOR]) if before else {}
    documents = [*NODES, pool(encapsulation=encapsulation), TOR]
    wish = Wish(seen(hosts), documents, "", {"bgp": "auto", **options}, bool(before))
    made = agree(stored, wish, now=NOW).compact()
    return {**made["plans"]["node1"], "table": made["table"]}


def test_bird_waits_for_the_nodes_of_the_run() -> None:
    sessions, routes = calico_bird_info.awaited(compact("IPIP"))
    assert sessions == ["bgp_192_0_2_12"]
    assert routes == []


def test_bird_waits_for_what_stands_by() -> None:
    __, routes = calico_bird_info.awaited(compact("IPIP", standby=True, hosts=THREE_NODES))
    assert len(routes) == 2


def test_bird_waits_for_what_moves_to_it() -> None:
    given = compact("IPIP", before="VXLAN", hosts=THREE_NODES)
    assert calico_bird_info.awaited(given)[1] == []
    assert len(calico_bird_info.awaited({**given, "moved": False})[1]) == 2


def test_bird_with_nothing_to_do_is_refused() -> None:
    with pytest.raises(InvalidInput, match="BIRD has nothing to do on this node"):
        calico_bird.of_plan(compact("VXLAN", bgp="disabled"))
    assert calico_bird.of_plan(compact("IPIP"))["router_id"] == "192.0.2.11"


def test_the_firewall_lets_in_what_the_plan_needs_and_more() -> None:
    empty: Plan = {"nodes": [], "peers": [], "pods": []}
    found = calico_firewall.with_plan({"plan": compact("IPIP"), "open": ["udp 4789"], **empty})
    assert found["open"] == ["ip protocol 4", "tcp 179", "udp 4789"]
    assert found["nodes"] == ["192.0.2.12", "198.51.100.13"]
    assert [peer["address"] for peer in found["peers"]] == ["203.0.113.1"]
    assert found["pods"] == ["10.244.0.0/16"]


def test_the_firewall_without_a_plan() -> None:
    given: Plan = {"plan": None, "open": ["udp 4789"], "nodes": ["192.0.2.12"], "peers": [], "pods": []}
    assert calico_firewall.with_plan(given) == given
