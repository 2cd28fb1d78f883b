# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook audit: its report and its exit status. test_remove_node.py has hosts that are dead or removed."""

from __future__ import annotations

import pytest
from audits import CLEAN, FOUND, audit, named
from snapshot import differences, take
from stage import Stage

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


@pytest.fixture(scope="module")
def deployed(stage: Stage) -> Stage:
    """Return three deployed nodes."""
    stage.deployed(3)
    return stage


def test_a_deployed_cluster_is_clean_and_nothing_is_touched(deployed: Stage) -> None:
    before = take(deployed)
    played, report = audit(deployed)
    assert (played.status, report["clean"], report["unseen"]) == (CLEAN, True, [])
    assert "clean: datastore, node1, node2, node3" in played.output
    assert differences(before, take(deployed)) == []


def test_things_of_others_are_found_with_a_limit_too(deployed: Stage) -> None:
    deployed.ask("node1", FOREIGN)
    try:
        played, report = audit(deployed, "--limit", "node1,node2")
    finally:
        deployed.ask("node1", AWAY)
    assert played.status == FOUND
    assert named(report, "node1") == [
        "foreign network /etc/cni/net.d/05-other.conflist",
        "foreign route 10.244.104.0/26 metric 5",
        "foreign route 10.244.77.0/24",
    ]
    assert named(report, "node2") == []
