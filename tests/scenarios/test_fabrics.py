# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Underlays that break pod networks: the probe names the defect and recommends a mode, which then works."""

from __future__ import annotations

import pytest
from defects import names_defect, probe, surrounded
from stage import Stage
from test_preflight import kinds, preflight

NODES = 3  # two of them in one subnet, where modes with CrossSubnet do not encapsulate
# The mode and the MTU that the probe recommends in each fabric with two subnets, and that this kernel has.
RECOMMENDED = {
    "aws": ("VXLAN", 1450),
    "azure": ("VXLANCrossSubnet", 1450),
    "mtu1400": ("VXLANCrossSubnet", 1350),
    "openstack": ("VXLAN", 1450),
    "strict-rp_filter": ("VXLANCrossSubnet", 1450),
}


@pytest.fixture(scope="module")
def nodes(stage: Stage) -> Stage:
    """Have nodes in two subnets."""
    stage.fresh(NODES, "VXLANCrossSubnet")
    return stage


def test_a_plain_fabric_raises_no_alarm_whatever_the_mode(nodes: Stage) -> None:
    surrounded(nodes, NODES, "plain", "VXLAN")
    modes = ("VXLANCrossSubnet", "VXLAN", "IPIPCrossSubnet", "IPIP")
    verdict, status = probe(nodes, encapsulations=modes)
    assert verdict["findings"] == []
    assert status == 0


# For every change, tests/kernel/test_probe.py has the verdicts, and the test of AWS below follows what is recommended.
@pytest.mark.nightly
@pytest.mark.parametrize("fabric", RECOMMENDED)
def test_the_defect_is_named_and_what_is_recommended_works(nodes: Stage, fabric: str) -> None:
    encapsulation, mtu = RECOMMENDED[fabric]
    surrounded(nodes, NODES, fabric, encapsulation)
    verdict, __ = probe(nodes)
    assert names_defect(verdict, fabric), verdict["findings"]
    assert verdict["recommended"] == {"encapsulation": encapsulation, "mtu": mtu}
    assert probe(nodes, "-e", f"calico_mtu={mtu}")[1] == 0
    nodes.succeed("deploy", "-e", f"calico_mtu={mtu}")
    nodes.succeed("verify", "-e", f"calico_mtu={mtu}")
    nodes.succeed("reset")


@pytest.mark.parametrize(
    ("fabric", "encapsulation", "wanted", "status"),
    [("azure", "VXLANCrossSubnet", ("VXLANCrossSubnet", 1450), 0), ("vmware", "VXLAN", ("IPIPCrossSubnet", 1480), 2)],
)
def test_what_passes_is_recommended(
    nodes: Stage, fabric: str, encapsulation: str, wanted: tuple[str, int], status: int
) -> None:
    surrounded(nodes, NODES, fabric, encapsulation)
    verdict, found = probe(nodes)
    assert names_defect(verdict, fabric)
    assert len(verdict["findings"]) == 1
    assert found == status
    assert verdict["recommended"] == dict(zip(("encapsulation", "mtu"), wanted))


def test_what_aws_drops_shows_in_verify_until_the_recommended_mode_is_taken(stage: Stage) -> None:
    stage.fresh(2, "None")
    surrounded(stage, 2, "aws", "None", subnets=1)
    verdict, status = probe(stage)
    assert status == 2
    assert names_defect(verdict, "aws"), verdict["findings"]
    assert verdict["recommended"] == {"encapsulation": "VXLAN", "mtu": 1450}
    stage.succeed("deploy")
    played = stage.play("verify", "-e", "verify_wait=5")
    assert played.status == 2
    assert "node1 -> node2 (pool default-ipv4-ippool, 100% lost)" in played.failures[-1]
    diagnosis = "The network between the nodes: None does not get through: a packet whose source is a pod's address"
    assert diagnosis in played.failures[-1]
    assert "On AWS switch off the check of source and destination" in " ".join(played.output.split())
    surrounded(stage, 2, "aws", "VXLAN", subnets=1)
    stage.succeed("deploy", "-e", "calico_mtu=1450")
    stage.succeed("verify", "-e", "calico_mtu=1450")


def test_what_the_hosts_firewalls_drop_is_told_from_the_network_and_let_in_until_it_is_taken_back(stage: Stage) -> None:
    stage.fresh(2)
    surrounded(stage, 2, "firewalld", "VXLAN", subnets=1)
    verdict, played = preflight(stage)
    assert played.status != 0
    (found,) = [row for row in verdict["findings"] if row["kind"] == "input-dropped"]
    assert found["remedy"] == "Run podnet.calico.firewall with firewall_insert=true"
    assert names_defect(verdict, "firewalld")
    assert not [row for row in verdict["findings"] if "is lost" in row["what"]]
    opened = stage.succeed("firewall", "-e", "firewall_insert=true")
    assert len([task for task in opened.changed if "through the firewall" in task]) == 2
    verdict, __ = preflight(stage)
    assert "input-dropped" not in kinds(verdict)
    assert not names_defect(verdict, "firewalld")
    stage.succeed("deploy")
    stage.succeed("verify")
    closed = stage.modules("calico_firewall", {name: {"state": "absent"} for name in stage.names})
    assert [result["changed"] for result in closed.values()] == [True, True]
    played = stage.play("verify", "-e", "verify_wait=5")
    assert played.status == 2
    assert "node1 -> node2 (pool default-ipv4-ippool, 100% lost)" in played.failures[-1]
    assert "VXLAN does not get through: VXLAN (UDP 4789): between all nodes" in played.failures[-1]
