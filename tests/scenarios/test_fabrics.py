# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Underlays that break pod networks: the probe names the defect and recommends a mode, which then works."""

from __future__ import annotations

import pytest
from defects import names_defect, probe, surrounded
from stage import Stage
from test_preflight import kinds, preflight

NODES = 3
# The mode and the MTU that the probe recommends in each fabric with two subnets, and that this kernel has.
RECOMMENDED = {
    "aws": ("VXLAN", 1450),
    "azure": ("VXLANCrossSubnet", 1450),
    "mtu1400": ("VXLANCrossSubnet", 1350),
    "openstack": ("VXLAN", 1450),
    "strict-rp_filter": ("VXLANCrossSubnet", 1450),
}
NIGHTLY = ("mtu1400", "openstack", "strict-rp_filter")  # tests/kernel/test_probe.py has them for every change


@pytest.fixture(scope="module")
def nodes(stage: Stage) -> Stage:
    """Have nodes in two subnets."""
    stage.do("down")
    surrounded(stage, NODES, "plain", "VXLANCrossSubnet")
    return stage


@pytest.mark.parametrize("encapsulation", ["VXLANCrossSubnet", "VXLAN", "IPIPCrossSubnet", "IPIP"])
def test_a_plain_fabric_raises_no_alarm(nodes: Stage, encapsulation: str) -> None:
    surrounded(nodes, NODES, "plain", "VXLAN")
    verdict, status = probe(nodes, encapsulation=encapsulation)
    assert verdict["findings"] == []
    assert status == 0


@pytest.mark.parametrize(
    "fabric",
    [pytest.param(name, marks=[pytest.mark.nightly] if name in NIGHTLY else []) for name in RECOMMENDED],
)
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


def test_vmware_leaves_ipip(nodes: Stage) -> None:
    surrounded(nodes, NODES, "vmware", "VXLAN")
    verdict, status = probe(nodes)
    assert names_defect(verdict, "vmware")
    assert len(verdict["findings"]) == 1
    assert status == 2
    assert verdict["recommended"] == {"encapsulation": "IPIPCrossSubnet", "mtu": 1480}


def test_firewalls_of_the_hosts_are_told_from_the_network(nodes: Stage) -> None:
    surrounded(nodes, NODES, "firewalld", "VXLAN")
    verdict, status = probe(nodes)
    assert status == 2
    assert names_defect(verdict, "firewalld")
    assert not [finding for finding in verdict["findings"] if "is lost" in finding["what"]]


def test_what_aws_drops_shows_in_verify_until_the_check_is_off(stage: Stage) -> None:
    stage.do("down")
    surrounded(stage, NODES, "aws", "None", subnets=1)
    assert probe(stage)[1] == 2
    stage.succeed("deploy")
    played = stage.play("verify")
    assert played.status == 2
    assert "node1 -> node2 (pool default-ipv4-ippool, 100% lost)" in played.failures[-1]
    diagnosis = "The network between the nodes: None does not get through: a packet whose source is a pod's address"
    assert diagnosis in played.failures[-1]
    assert "On AWS switch off the check of source and destination" in " ".join(played.output.split())
    surrounded(stage, NODES, "plain", "None", subnets=1)
    assert probe(stage)[1] == 0
    stage.succeed("verify")


def test_what_the_hosts_firewalls_drop_is_let_in_until_it_is_taken_back(stage: Stage) -> None:
    stage.do("down")
    surrounded(stage, 2, "firewalld", "VXLAN", subnets=1)
    verdict, __ = preflight(stage)
    (found,) = [row for row in verdict["findings"] if row["kind"] == "input-dropped"]
    assert found["remedy"] == "Run podnet.calico.firewall with firewall_insert=true"
    assert names_defect(verdict, "firewalld")
    opened = stage.succeed("firewall", "-e", "firewall_insert=true")
    assert len([task for task in opened.changed if "through the firewall" in task]) == 2
    verdict, __ = preflight(stage)
    assert "input-dropped" not in kinds(verdict)
    assert not names_defect(verdict, "firewalld")
    stage.succeed("deploy")
    stage.succeed("verify")
    for name in stage.names:
        assert stage.module(name, "calico_firewall", state="absent")["changed"]
    played = stage.play("verify")
    assert played.status == 2
    assert "node1 -> node2 (pool default-ipv4-ippool, 100% lost)" in played.failures[-1]
    assert "VXLAN does not get through: VXLAN (UDP 4789): between all nodes" in played.failures[-1]
