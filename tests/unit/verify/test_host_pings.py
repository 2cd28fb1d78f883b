# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings between pods and hosts: what a plan has to ping, and what comes of the results."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify import host_pings
from ansible_collections.podnet.calico.plugins.module_utils.verify.planned_pings import targets_of
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    THREE_NODES,
    cluster,
    plan_all,
    plans,
    pool,
    seen,
)

# By encapsulation and masquerading: the hosts to which packets of node1's pods get; node3 is in another subnet.
HOSTS = {
    ("VXLAN", True): ["node1", "node2", "node3"],
    ("VXLAN", False): ["node1"],
    ("IPIPCrossSubnet", False): ["node1", "node2"],
}


@pytest.mark.parametrize(("mode", "hosts"), HOSTS.items())
def test_hosts_that_pods_reach(mode: tuple[str, bool], hosts: list[str]) -> None:
    made = plans(cluster(pool(encapsulation=mode[0], natOutgoing=mode[1])))["node1"]
    (probe,) = made["probes"]
    addresses = {name: [text.partition("/")[0], f"2001:db8::{name[-1]}"] for name, text in THREE_NODES.items()}
    found = host_pings.targets(made, addresses)
    assert [row["name"].rpartition(" ")[2] for row in found if row["name"].startswith("pod")] == hosts
    found = host_pings.targets(made, {name: addresses[name] for name in ("node1", "node2")})
    own, other = probe["addresses"][0], probe["targets"][0]["address"]
    rows = {row["name"]: (row["address"], row["netns"], row.get("answer_to")) for row in found}
    expected = {
        "pod of node1 -> host node1": ("192.0.2.11", "podnet-probe.main", own),
        "pod of node1 -> host node2": ("192.0.2.12", "podnet-probe.main", None),
        "host node1 -> pod of node1": (own, host_pings.HOST, None),
        "host node1 -> pod of node2": (other, host_pings.HOST, None),
    }
    if "node2" not in hosts:
        expected.pop("pod of node1 -> host node2")
    assert rows == expected
    assert {row["pool"] for row in found} == {"main"}


def test_the_nodes_of_a_run_are_pinged() -> None:
    some = {name: THREE_NODES[name] for name in ("node1", "node3")}
    made = plan_all(cluster(pool(natOutgoing=True)), seen(some), "auto")["node1"]
    assert [row["name"] for row in targets_of(made, "pods")] == ["node3"]
    found = targets_of(made, "pods_and_hosts")
    assert [row["name"] for row in found if row.get("expected")] == ["node3"]
    assert [row["name"] for row in found if row["name"].startswith("pod")] == [
        "pod of node1 -> host node1",
        "pod of node1 -> host node3",
    ]


def test_only_probe_pods_behind_the_new_path_are_tried() -> None:
    addresses = {"node2": ["10.244.1.9", "fd00:10::9"], "node3": ["10.244.2.9", "fd00:10::8"]}
    pods = [{"name": name, "address": address} for name, each in addresses.items() for address in each]
    plan = {
        "nodes": addresses,
        "probes": [{"targets": pods}],
        "transition": {"trial": ["10.244.1.9/32", "fd00:10::8/128"]},
    }
    assert [row["address"] for row in targets_of(plan, "trial")] == ["10.244.1.9", "fd00:10::8"]


def row(loss: float, **more: t.Any) -> dict[str, t.Any]:
    return {"target": "pod of node1 -> host node1", "address": "192.0.2.11", "pool": "main", "loss": loss, **more}


LOST = "pod of node1 -> host node1 (pool main, 100% lost)"
JUDGED: dict[str, tuple[dict[str, t.Any], list[str], list[str]]] = {
    "well": (row(0.0, answered_by="eth0"), [], []),
    "a firewall": (row(1.0, answered_by="cali0123456789a"), [], [LOST]),
    "another host": (row(1.0), [], [LOST]),
    "another way": (
        row(1.0, answered_by="eth0"),
        [f"{LOST}: the host's answers from 192.0.2.11 leave by eth0, by a rule of policy routing (ip rule)"],
        [],
    ),
    "no way": (
        row(1.0, answered_by=""),
        [f"{LOST}: the host's answers from 192.0.2.11 have no way, by a rule of policy routing (ip rule)"],
        [],
    ),
}


@pytest.mark.parametrize(("result", "misrouted", "unanswered"), JUDGED.values(), ids=JUDGED)
def test_what_the_results_say(result: dict[str, t.Any], misrouted: list[str], unanswered: list[str]) -> None:
    assert host_pings.judge({"node1": [result]}) == {"misrouted": misrouted, "unanswered": unanswered}
