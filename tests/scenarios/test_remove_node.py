# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that leaves, alive or dead: nothing names it afterwards, and what is left by somebody's hand is found."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import nodes
import pytest
from settings import CHECKOUT
from stage import PROGRAMS, Stage

ADDRESSES = {f"node{index}": f"192.0.2.{10 + index}" for index in (1, 2, 3, 4)}


def block_of(stage: Stage, node: str) -> str:
    """Return the block of a node, which is a blackhole there."""
    return re.findall(r"blackhole (\S+)", stage.ask(node, "ip route"))[0]


def stored(stage: Stage) -> str:
    """Return all files of the datastore."""
    return stage.ask("node1", "find /etc/podnet-calico/datastore -type f -exec cat {} +")


def traces(stage: Stage, node: str, others: list[str], block: str) -> list[str]:
    """Return what still names a node on other hosts and in the datastore, by other means than the playbook's."""
    words = [node, ADDRESSES[node], ADDRESSES[node].replace(".", "_"), block]
    pattern = re.compile("|".join(rf"(?<![0-9a-z.])(?<!port_){re.escape(word)}(?![0-9a-z])" for word in words))
    commands: tuple[str, ...] = (
        "ip route show table all",
        "ip neigh show nud permanent",
        "bridge fdb show",
        "nft list ruleset",
    )
    files = "cat /etc/bird/podnet-calico.conf /etc/cni/net.d/10-podnet-calico.conflist 2>/dev/null; true"
    commands = (*commands, files, "birdc show protocols; true")
    found = [line for other in others for command in commands for line in stage.lines(other, command)]
    found += stored(stage).splitlines()
    return [line for line in found if pattern.search(line)]


def kill(stage: Stage, node: str) -> None:
    """End a node as a power cut does."""
    process = nodes.process(stage.lab, node)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while process.is_alive():
        time.sleep(0.05)


@pytest.mark.parametrize("encapsulation", [pytest.param("VXLAN", marks=pytest.mark.nightly), "None"])
def test_living_and_dead_nodes_go_and_nothing_names_them(stage: Stage, encapsulation: str) -> None:
    stage.fresh(4, encapsulation)
    stage.succeed("deploy")
    blocks = {name: block_of(stage, name) for name in stage.names}
    assert traces(stage, "node3", ["node1", "node2"], blocks["node3"]) != []

    stage.succeed("remove_node", "-e", "calico_remove=node3")
    assert traces(stage, "node3", ["node1", "node2", "node4"], blocks["node3"]) == []
    assert "10.244." not in stage.ask("node3", "ip route")

    kill(stage, "node4")
    stage.succeed("remove_node", "-e", "calico_remove=node4")
    assert traces(stage, "node4", ["node1", "node2"], blocks["node4"]) == []

    def gone(group: dict[str, dict[str, object]]) -> None:
        del group["hosts"]["node3"], group["hosts"]["node4"]  # type: ignore[attr-defined]

    rest = stage.changed_inventory(gone)
    again = stage.succeed("remove_node", "-e", "calico_remove=node4", inventory=rest)
    assert again.changed == []
    assert stage.succeed("deploy", inventory=rest).changed == []
    assert "All 2 pairs answer" in stage.succeed("verify", inventory=rest).output


def test_a_node_that_is_out_of_the_inventory_goes_with_its_peers(stage: Stage) -> None:
    stage.fresh(3)
    stage.succeed("deploy")
    block = block_of(stage, "node3")
    peers = {"there": {"node": "node3", "peerIP": "192.0.2.1", "asNumber": 65000}}
    peers["back"] = {"nodeSelector": "has(router)", "peerIP": ADDRESSES["node3"], "asNumber": 64512}
    peers["stays"] = {"nodeSelector": "has(router)", "peerIP": "192.0.2.1", "asNumber": 65000}
    documents = [
        {"apiVersion": "projectcalico.org/v3", "kind": "BGPPeer", "metadata": {"name": name}, "spec": spec}
        for name, spec in peers.items()
    ]
    own = {"apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "node.node3"}}
    stage.module("node1", "calico_resources", documents=[*documents, {**own, "spec": {"listenPort": 1179}}])
    kill(stage, "node3")

    def gone(group: dict[str, dict[str, object]]) -> None:
        del group["hosts"]["node3"]  # type: ignore[attr-defined]
        group["vars"]["calico_bgp"] = "disabled"  # type: ignore[index]

    stage.succeed("remove_node", "-e", "calico_remove=node3", inventory=stage.changed_inventory(gone))
    assert traces(stage, "node3", ["node1", "node2"], block) == []
    peers_left = stage.module("node1", "calico_resource_info", kind="BGPPeer")["resources"]
    assert [document["metadata"]["name"] for document in peers_left] == ["stays"]
    assert stage.module("node1", "calico_resource_info", kind="BGPConfiguration")["resources"] == []


def test_what_is_left_by_hand_is_found_and_named(stage: Stage) -> None:
    stage.fresh(2, "None")
    stage.succeed("deploy")
    by_hand = [
        "ip route add 10.244.99.0/26 via 192.0.2.12",
        "ip route add 203.0.113.0/24 via 192.0.2.19 proto 98 onlink dev eth0",
        "ip route add table 77 10.244.99.7/32 dev eth0",
        "ip neigh add 192.0.2.19 lladdr 66:00:00:00:00:01 dev eth0 nud permanent",
        "ip link add probe0 type vxlan id 7 dstport 4790 local 192.0.2.11 dev eth0",
        "bridge fdb append 66:00:00:00:00:02 dev probe0 dst 192.0.2.19",
        "nft add element inet podnet_calico pools4 '{ 10.244.99.0/26 }' 2>/dev/null || true",
        """printf 'description "mesh node9"; # gone\\n# 10.244.99.0/26\\n' >>/etc/bird/podnet-calico.conf""",
        'printf \'{"subnet": "10.244.99.0/26"}\\n\' >/etc/cni/net.d/99-podnet-calico.conflist',
        "ip route add 203.0.113.128/25 via 192.0.2.19 onlink dev eth0",  # the user's own: not ours to judge
    ]
    for command in by_hand:
        stage.ask("node1", command)
    leftovers = ask(stage, name="node9", addresses=["192.0.2.19"], cidrs=["10.244.99.0/26"])
    kinds = [leftover["kind"] for leftover in leftovers if leftover["kind"] != "nft"]
    assert sorted(kinds) == ["fdb", "file", "file", "file", "neighbour", "route", "route", "route"]
    assert not any("203.0.113.128" in leftover["text"] for leftover in leftovers)
    assert {leftover["kind"] for leftover in ask(stage, name="node2", addresses=[ADDRESSES["node2"]])} == {
        *("file", "route", "session")
    }
    assert ask(stage, name="node8", addresses=["192.0.2.1"], cidrs=["10.244.98.0/26"]) == []


def ask(stage: Stage, **options: object) -> list[dict[str, str]]:
    """Return what calico_leftovers finds on node1; it fails if that is anything."""
    command = [str(PROGRAMS / "ansible"), "-i", str(stage.inventory), "node1", "-m", "podnet.calico.calico_leftovers"]
    environment = stage.environment() | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    del environment["ANSIBLE_CALLBACKS_ENABLED"]
    answer = subprocess.run(
        [*command, "-a", json.dumps(options)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(answer.stdout.partition("=> ")[2])["leftovers"]
    assert bool(found) == bool(answer.returncode), answer.stdout + answer.stderr
    return list(found)
