# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook audit: its report, its exit status, hosts that cannot be reached, and what a removed node leaves."""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t

import nodes
import pytest
from snapshot import differences, take
from stage import Played, Stage

CLEAN, FOUND, UNREACHABLE = 0, 2, 4  # Ansible's exit statuses

# Things of others in our way, on node1.
FOREIGN = """
ip route add 10.244.77.0/24 via 192.0.2.1 dev eth0 onlink proto 99
ip route replace blackhole 10.244.104.0/26 metric 5 proto static
echo '{}' >/etc/cni/net.d/05-other.conflist
"""
AWAY = """
ip route del 10.244.77.0/24
ip route del blackhole 10.244.104.0/26 metric 5
rm /etc/cni/net.d/05-other.conflist
"""


def audit(stage: Stage, *arguments: str, **options: t.Any) -> tuple[Played, dict[str, t.Any]]:
    """Return how an audit went, and its report; it has to leave all nodes as they were."""
    file = stage.lab.files / "audit.json"
    file.unlink(missing_ok=True)
    played = stage.play("audit", "-e", f"calico_audit_report={file}", *arguments, **options)
    assert played.changed == []
    return played, json.loads(file.read_text())


def named(report: dict[str, t.Any], place: str) -> list[str]:
    return [f"{each['category']} {each['kind']} {each['name']}" for each in report["places"][place]]


@pytest.fixture(scope="module")
def deployed(stage: Stage) -> Stage:
    """Return three deployed nodes with BIRD."""
    stage.fresh(3, "None")
    stage.succeed("deploy")
    return stage


def test_a_deployed_cluster_is_clean_and_nothing_is_touched(deployed: Stage) -> None:
    before = take(deployed)
    played, report = audit(deployed)
    assert (played.status, report["clean"], report["unseen"]) == (CLEAN, True, [])
    assert "clean: datastore, node1, node2, node3" in played.output
    assert differences(before, take(deployed)) == []


def test_things_of_others_are_found_with_a_limit_too(deployed: Stage) -> None:
    deployed.ask("node1", FOREIGN)
    played, report = audit(deployed, "--limit", "node1,node2")
    assert played.status == FOUND
    assert named(report, "node1") == [
        "foreign network /etc/cni/net.d/05-other.conflist",
        "foreign route 10.244.104.0/26 metric 5",
        "foreign route 10.244.77.0/24",
    ]
    assert named(report, "node2") == []
    assert audit(deployed, "-e", "calico_audit_fail_on=never")[0].status == CLEAN
    deployed.ask("node1", AWAY)


def test_a_removed_node_is_named_nowhere(deployed: Stage) -> None:
    deployed.succeed("remove_node", "-e", "calico_remove=node3")

    def gone(group: dict[str, t.Any]) -> None:
        del group["hosts"]["node3"]

    rest = deployed.changed_inventory(gone)
    played, report = audit(deployed, inventory=rest)
    assert (played.status, report["clean"]) == (CLEAN, True), report["lines"]
    # The inventory that has it still finds it missing: in the datastore, and everything on its host.
    __, report = audit(deployed, "--limit", "node1,node3")
    assert "missing document Node node3" in named(report, "datastore")
    assert "missing file /etc/bird/podnet-calico.conf" in named(report, "node3")


def test_a_dead_host_is_reported_and_the_others_are_looked_at(deployed: Stage) -> None:
    process = nodes.process(deployed.lab, "node2")
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while process.is_alive():
        time.sleep(0.05)
    played, report = audit(deployed, "--limit", "node1,node2")
    assert played.status in (FOUND, UNREACHABLE, FOUND | UNREACHABLE)
    assert report["unseen"] == ["node2"]
    assert "not looked at: node2" in played.output
    assert "wrong session bgp_192_0_2_12" in named(report, "node1")
