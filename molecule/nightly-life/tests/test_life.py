# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One story on three machines: the tests follow each other, each takes the cluster as the one before has left it."""

from __future__ import annotations

import typing as t

import pytest
from machines import Machines

# Each mode once, and back to where it began. Names of the tests, since "None" would be none.
CHAIN: t.Final = ("IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet", "None")
# What carries packets between the pods of node1 and node2, which a router parts, and of node1 and node3, by mode.
CARRIED: t.Final = {
    "IPIP": ("IPIP", "IPIP"),
    "IPIPCrossSubnet": ("IPIP", "None"),
    "VXLAN": ("VXLAN", "VXLAN"),
    "VXLANCrossSubnet": ("VXLAN", "None"),
    "None": ("None", "None"),
}


@pytest.mark.parametrize("mode", CHAIN)
def test_another_mode_loses_no_packet(machines: Machines, mode: str) -> None:
    assert machines.switch(mode) == {}
    seen = machines.encapsulations()
    assert (seen["node1", "node2"], seen["node1", "node3"]) == CARRIED[mode]


def test_audit_finds_nothing_after_all_these_changes(machines: Machines) -> None:
    assert machines.audit() == {}


def test_a_node_that_reboots_comes_back_by_itself(machines: Machines) -> None:
    machines.stage.do("reboot", "node2")
    assert set(machines.encapsulations().values()) == {"None"}
    assert machines.audit() == {}


def test_a_power_cut_within_a_deployment_is_repaired_by_the_next_one(machines: Machines) -> None:
    machines.cut_within_deploy("node2", "VXLAN", "Configure the data path")
    machines.stage.do("start", "node2")
    played = machines.stage.succeed("deploy")
    assert any(changed.startswith("node2: ") for changed in played.changed)
    assert set(machines.encapsulations().values()) == {"VXLAN"}
    assert machines.stage.succeed("deploy").changed == []


def test_a_dead_node_is_removed_and_nothing_names_it(machines: Machines) -> None:
    block = machines.block("node3")
    machines.stage.do("power-cut", "node3")
    machines.stage.succeed("remove_node", "-e", "calico_remove=node3")
    assert machines.audit(machines.without("node3")) == {}
    for name in ("node1", "node2"):
        assert block not in machines.stage.ask(name, "ip route show table all; cat /etc/bird/podnet-calico.conf")


def test_a_replaced_node_gets_the_network_anew(machines: Machines) -> None:
    machines.stage.do("start", "node3")
    machines.stage.succeed("deploy")
    assert set(machines.encapsulations().values()) == {"VXLAN"}


def test_reset_leaves_clean_hosts_now_and_after_a_boot(machines: Machines) -> None:
    machines.stage.succeed("reset")
    machines.stage.do("reboot", "node1")
    for name in machines.names:
        machines.check_clean(name)
