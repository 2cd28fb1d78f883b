# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode changes nothing and tells the truth; a second run has nothing to do, with few calls; a fault is named."""

from __future__ import annotations

import json

from snapshot import differences, take
from stage import Stage

# Modules that run on each node when nothing has to be done: look at the host, data path, the runtime's network.
CALLS_PER_NODE = 3
# On the node with the datastore, besides: resources, blocks and plans.
CALLS_FOR_THE_DATASTORE = 1
OF_OTHERS = "/etc/cni/net.d/05-other.conflist"
# The default waits longer for a network that is only just coming up, which costs time where a pair never answers.
QUICKLY = ("-e", "verify_wait=5")


def test_prediction_of_fresh_nodes_touches_nothing_and_is_what_the_run_does(stage: Stage) -> None:
    stage.fresh(3)
    before = take(stage)
    predicted = stage.succeed("deploy", "--check", "--diff")
    assert differences(before, take(stage)) == []
    done = stage.succeed("deploy")
    assert predicted.changed, "nothing was predicted"
    assert predicted.story == done.story
    assert differences(before, take(stage)) != []
    stage.keep()


def test_nothing_is_left_to_do_on_deployed_nodes_but_to_warn_of_networks_of_others(stage: Stage) -> None:
    stage.deployed(3)
    stage.ask("node1", f"echo '{{}}' >{OF_OTHERS}")
    try:
        before = take(stage)
        second = stage.succeed("deploy")
        assert second.changed == []
        assert differences(before, take(stage)) == []
    finally:
        stage.ask("node1", f"rm {OF_OTHERS}")
    assert "05-other.conflist sorts before 10-podnet-calico.conflist" in " ".join(second.output.split())
    calls = dict.fromkeys(stage.names, CALLS_PER_NODE)
    calls["node1"] += CALLS_FOR_THE_DATASTORE
    assert second.module_calls() == calls


def test_broken_pairs_are_named_and_their_repair_is_foretold(stage: Stage) -> None:
    stage.deployed(3)
    (entry,) = [line for line in stage.lines("node1", "bridge fdb show dev vxlan.calico") if "dst 192.0.2.12 " in line]
    stage.ask("node1", f"bridge fdb del {entry.split()[0]} dev vxlan.calico dst 192.0.2.12 self")
    report = stage.lab.files / "verify.json"
    failed = stage.play("verify", *QUICKLY, "-e", f"calico_verify_report={report}")
    assert failed.status != 0
    # Packets of node1 for node2 have nowhere to go, and neither have its answers to node2.
    names = [f"{pair} (pool default-ipv4-ippool, 100% lost)" for pair in ("node1 -> node2", "node2 -> node1")]
    assert {line.partition(": ")[2] for line in failed.failures} == {"; ".join(names)}
    found = json.loads(report.read_text())
    assert found["ok"] is False
    assert found["failed"] == names
    lost = {(pair["source"], pair["target"]): pair["loss"] for pair in found["pairs"]}
    assert len(lost) == 6
    assert {pair for pair, loss in lost.items() if loss} == {("node1", "node2"), ("node2", "node1")}
    repair = ["node1: podnet.calico.dataplane : Configure the data path"]
    assert stage.succeed("deploy", "--check").changed == repair
    assert stage.succeed("deploy").changed == repair
    assert "All 6 pairs answer" in stage.succeed("verify").output
