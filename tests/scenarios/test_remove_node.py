# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that leave, dead or alive: nothing names them afterwards, and what is left by somebody's hand is found."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from audits import CLEAN, FOUND, UNREACHABLE, audit, named
from stage import Stage

ADDRESSES = {f"node{index}": f"192.0.2.{10 + index}" for index in (1, 2, 3, 4)}
# What is done by hand on node1, and how it is taken back.
BY_HAND = {
    "ip route add 10.244.99.0/26 via 192.0.2.12": "ip route del 10.244.99.0/26",
    "ip route add 203.0.113.0/24 via 192.0.2.19 proto 98 onlink dev eth0": "ip route del 203.0.113.0/24",
    "ip route add table 77 10.244.99.7/32 dev eth0": "ip route del table 77 10.244.99.7/32",
    "ip neigh add 192.0.2.19 lladdr 66:00:00:00:00:01 dev eth0 nud permanent": "ip neigh del 192.0.2.19 dev eth0",
    "ip link add probe0 type vxlan id 7 dstport 4790 local 192.0.2.11 dev eth0": "ip link del probe0",
    "bridge fdb append 66:00:00:00:00:02 dev probe0 dst 192.0.2.19": "true",
    "nft add element inet podnet_calico pools4 '{ 10.244.99.0/26 }' 2>/dev/null || true": (
        "nft delete element inet podnet_calico pools4 '{ 10.244.99.0/26 }' 2>/dev/null || true"
    ),
    """printf 'description "mesh node9"; # gone\\n# 10.244.99.0/26\\n' >>/etc/bird/podnet-calico.conf""": (
        "sed -i '/node9/d; /10.244.99.0/d' /etc/bird/podnet-calico.conf"
    ),
    'printf \'{"subnet": "10.244.99.0/26"}\\n\' >/etc/cni/net.d/99-podnet-calico.conflist': (
        "rm /etc/cni/net.d/99-podnet-calico.conflist"
    ),
    # The user's own: not ours to judge.
    "ip route add 203.0.113.128/25 via 192.0.2.19 onlink dev eth0": "ip route del 203.0.113.128/25",
}


class Cluster(t.NamedTuple):
    """Four deployed nodes, which become fewer."""

    stage: Stage
    encapsulation: str
    blocks: dict[str, str]

    def without(self, *names: str) -> Path:
        """Return an inventory without some nodes."""

        def change(group: dict[str, t.Any]) -> None:
            for name in names:
                del group["hosts"][name]
            if self.encapsulation == "VXLAN":
                group["vars"]["calico_bgp"] = "disabled"

        return self.stage.changed_inventory(change)

    def traces(self, node: str, others: list[str]) -> list[str]:
        """Return what still names a node on other hosts and in the datastore, by other means than the playbook's."""
        words = [node, ADDRESSES[node], ADDRESSES[node].replace(".", "_"), self.blocks[node]]
        pattern = re.compile("|".join(rf"(?<![0-9a-z.])(?<!port_){re.escape(word)}(?![0-9a-z])" for word in words))
        places = """
            set -e; ip route show table all; ip neigh show nud permanent; bridge fdb show; nft list ruleset
            cat /etc/cni/net.d/10-podnet-calico.conflist
            if [ -e /etc/bird/podnet-calico.conf ]; then cat /etc/bird/podnet-calico.conf; birdc show protocols; fi
        """
        found = [line for other in others for line in self.stage.lines(other, places)]
        found += self.stage.lines("node1", "find /etc/podnet-calico/datastore -type f -exec cat {} +")
        return [line for line in found if pattern.search(line)]


@pytest.fixture(scope="module", params=["None", pytest.param("VXLAN", marks=pytest.mark.nightly)])
def cluster(stage: Stage, request: pytest.FixtureRequest) -> Cluster:
    """Have four deployed nodes; each test takes one away."""
    stage.deployed(4, request.param)
    blocks = {name: re.findall(r"blackhole (\S+)", stage.ask(name, "ip route"))[0] for name in stage.names}
    return Cluster(stage, request.param, blocks)


def test_a_dead_host_is_reported_by_the_audit_and_the_others_are_looked_at(cluster: Cluster) -> None:
    cluster.stage.kill("node4")
    played, report = audit(cluster.stage, "--limit", "node1,node4")
    assert played.status in (FOUND, UNREACHABLE, FOUND | UNREACHABLE)
    assert report["unseen"] == ["node4"]
    assert "not looked at: node4" in played.output
    if cluster.encapsulation == "None":
        assert "wrong session bgp_192_0_2_14" in named(report, "node1")


def test_a_dead_node_goes_and_nothing_names_it(cluster: Cluster) -> None:
    assert cluster.traces("node4", ["node1", "node2"]) != []
    cluster.stage.succeed("remove_node", "-e", "calico_remove=node4")
    assert cluster.traces("node4", ["node1", "node2", "node3"]) == []


def test_a_node_that_is_out_of_the_inventory_goes_with_its_peers(cluster: Cluster) -> None:
    stage = cluster.stage
    peers = {"there": {"node": "node3", "peerIP": "192.0.2.1", "asNumber": 65000}}
    peers["back"] = {"nodeSelector": "has(router)", "peerIP": ADDRESSES["node3"], "asNumber": 64512}
    peers["stays"] = {"nodeSelector": "has(router)", "peerIP": "192.0.2.1", "asNumber": 65000}
    documents = [
        {"apiVersion": "projectcalico.org/v3", "kind": "BGPPeer", "metadata": {"name": name}, "spec": spec}
        for name, spec in peers.items()
    ]
    own = {"apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "node.node3"}}
    stage.module("node1", "calico_resources", documents=[*documents, {**own, "spec": {"listenPort": 1179}}])
    stage.kill("node3")
    rest = cluster.without("node3", "node4")
    stage.succeed("remove_node", "-e", "calico_remove=node3", inventory=rest)
    assert cluster.traces("node3", ["node1", "node2"]) == []
    stored = stage.module("node1", "calico_resource_info")["resources"]
    assert [each["metadata"]["name"] for each in stored if each["kind"] == "BGPPeer"] == ["stays"]
    configurations = [each["metadata"]["name"] for each in stored if each["kind"] == "BGPConfiguration"]
    assert "node.node3" not in configurations


def test_the_others_answer(cluster: Cluster) -> None:
    verified = cluster.stage.succeed("verify", inventory=cluster.without("node3", "node4"))
    assert "All 2 pairs answer" in verified.output


@pytest.mark.nightly
def test_removed_once_more_nothing_changes(cluster: Cluster) -> None:
    removal = ("remove_node", "-e", "calico_remove=node3")
    for __ in range(2):  # at night nothing has removed it before
        done = cluster.stage.succeed(*removal, inventory=cluster.without("node3", "node4"))
    assert done.changed == []


def test_what_is_left_by_hand_is_found_and_named(cluster: Cluster) -> None:
    if cluster.encapsulation != "None":
        pytest.skip("sessions and routes of BIRD are meant")
    try:
        for command in BY_HAND:
            cluster.stage.ask("node1", command)
        gone = leftovers(cluster.stage, name="node9", addresses=["192.0.2.19"], cidrs=["10.244.99.0/26"])
        lives = leftovers(cluster.stage, name="node2", addresses=[ADDRESSES["node2"]], cidrs=[])
        never = leftovers(cluster.stage, name="node8", addresses=["192.0.2.1"], cidrs=["10.244.98.0/26"])
    finally:
        for command in reversed(BY_HAND.values()):
            cluster.stage.run("node1", command)
    kinds = [found["kind"] for found in gone if found["kind"] != "nft"]
    assert sorted(kinds) == ["fdb", "file", "file", "file", "neighbour", "route", "route", "route"]
    assert not any("203.0.113.128" in found["text"] for found in gone)
    assert {found["kind"] for found in lives} == {"file", "nft", "route", "session"}
    assert never == []


def leftovers(stage: Stage, **options: object) -> list[dict[str, str]]:
    """Return what calico_leftovers finds on node1; it fails if that is anything."""
    answer = stage.modules("calico_leftovers", {"node1": options}, failures=True)["node1"]
    assert bool(answer["leftovers"]) == ("msg" in answer), answer
    return list(answer["leftovers"])


def test_a_living_node_goes_and_what_it_was_is_missing_in_the_inventory_that_has_it(cluster: Cluster) -> None:
    stage, rest = cluster.stage, cluster.without("node3", "node4")
    assert cluster.traces("node2", ["node1"]) != []
    stage.succeed("remove_node", "-e", "calico_remove=node2", inventory=rest)
    assert cluster.traces("node2", ["node1"]) == []
    assert "10.244." not in stage.ask("node2", "ip route")
    # The inventory that has it finds it missing: in the datastore, and everything on its host.
    played, report = audit(stage, "-e", "calico_audit_fail_on=never", inventory=rest)
    assert played.status == CLEAN
    assert "missing document Node node2" in named(report, "datastore")
    assert "missing file /etc/iproute2/rt_protos.d/podnet-calico.conf" in named(report, "node2")
    played, report = audit(stage, inventory=cluster.without("node2", "node3", "node4"))
    assert (played.status, report["clean"]) == (CLEAN, True), report["lines"]
