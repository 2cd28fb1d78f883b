# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes change under load, with both IP versions: to the end, into faults and back, and through deaths of a run."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import shlex
import typing as t

import pytest
from pod_pings import POD, Pings
from stage import Stage

# Hosts that check where packets come from as strictly as the kernel can, for which both directions have to agree.
STRICT = "net.ipv4.conf.all.rp_filter"
QUICK = ("-e", "calico_switch_wait=2")
TUNNELS_BLOCKED = "udp dport 4789 drop"
DIRECT_BLOCKED = "iifname eth0 ip saddr 10.244.0.0/16 drop"


def wish(stage: Stage, encapsulation: str) -> None:
    """Write an inventory of nodes with both IP versions and pools of both with an encapsulation."""

    def dual(group: dict[str, t.Any]) -> None:
        for index, name in enumerate(group["hosts"], start=1):
            group["hosts"][name]["calico_node_ipv6_address"] = f"2001:db8::1{index}"
        group["vars"]["calico_ip_pools"] = [
            {"name": "ipv4", "cidr": "10.244.0.0/16", "encapsulation": encapsulation},
            {"name": "ipv6", "cidr": "2001:db8:244::/48", "encapsulation": encapsulation},
        ]

    stage.changed_inventory(dual).replace(stage.inventory)


@pytest.fixture(scope="module")
def pods(stage: Stage) -> dict[int, dict[str, str]]:
    """Have two nodes without encapsulation and a pod on each, and return its addresses by IP version."""
    stage.fresh(2, "None")
    wish(stage, "None")
    for index, name in enumerate(stage.names, start=1):
        stage.ask(name, f"ip addr add 2001:db8::1{index}/64 dev eth0 nodad; sysctl -qw {STRICT}=1")
    stage.succeed("deploy")
    found: dict[int, dict[str, str]] = {4: {}, 6: {}}
    for name in stage.names:
        for version in found:
            block = re.findall(r"blackhole (\S+)", stage.ask(name, f"ip -{version} route"))[0]
            found[version][name] = str(ipaddress.ip_network(block)[2])
        stage.module(name, "calico_veth", endpoints=[{"name": POD, "addresses": [found[v][name] for v in found]}])
    return found


@contextlib.contextmanager
def nothing_lost(stage: Stage, pods: dict[int, dict[str, str]]) -> t.Iterator[None]:
    """Ping between the pods of all pairs of nodes by both IP versions, and fail if anything is lost."""
    with Pings(stage, pods[4]) as four, Pings(stage, pods[6]) as six:
        yield
    assert four.sent > 1000
    assert (four.lost, six.lost) == ({}, {})


def talk(stage: Stage, pods: dict[int, dict[str, str]]) -> bool:
    """Tell whether all pods answer each other."""
    pairs = [(name, address) for found in pods.values() for name in found for address in found.values()]
    return all(
        stage.run(name, f"ip netns exec {POD} ping -q -n -c 3 -i 0.05 -W 1 {address}").returncode == 0
        for name, address in pairs
    )


def devices(stage: Stage, node: str, pods: dict[int, dict[str, str]]) -> dict[str, str]:
    """Return by which devices a node sends to the pods of the others, by IP version and node."""
    return {
        f"{name} IPv{version}": re.findall(r"dev (\S+)", stage.ask(node, f"ip -{version} route get {address}"))[0]
        for version, found in pods.items()
        for name, address in found.items()
        if name != node
    }


def rules(rule: str) -> str:
    """Return what makes nft treat packets that arrive by a rule, whatever it has been told before."""
    hook = "{ type filter hook prerouting priority -300; }"
    return f"add table inet fault; add chain inet fault arriving {hook}; add rule inet fault arriving {rule}"


def unblock(stage: Stage, node: str) -> None:
    """Take such rules back."""
    stage.ask(node, "nft delete table inet fault")


def test_a_path_that_does_not_work_is_found_before_a_pod_takes_it(
    stage: Stage, pods: dict[int, dict[str, str]]
) -> None:
    wish(stage, "VXLAN")
    stage.ask("node2", f"nft '{rules(TUNNELS_BLOCKED)}'")
    with nothing_lost(stage, pods):
        played = stage.play("switch_encapsulation", *QUICK)
    unblock(stage, "node2")
    assert played.status != 0
    message = played.failures[-1]
    assert "ipv4: None -> VXLAN; ipv6: None -> VXLAN" in message
    assert "node1 -> node2 (pool ipv4, 100% lost)" in message
    assert "node1, node2 did not move" in message
    assert "run switch_encapsulation again" in message
    assert [stage.run(name, "ip netns | grep podnet-probe").stdout for name in stage.names] == [""] * 2


def test_repaired_and_run_again_it_loses_nothing(stage: Stage, pods: dict[int, dict[str, str]]) -> None:
    with nothing_lost(stage, pods):
        played = stage.succeed("switch_encapsulation", *QUICK)
    assert "4 pairs of nodes were pinged as soon as the first of them had moved: 40 packets, 0 lost" in " ".join(
        played.output.split()
    )
    assert set(devices(stage, "node1", pods).values()) == {"vxlan.calico", "vxlan-v6.calico"}
    assert stage.run("node1", "pgrep -x bird").returncode != 0
    assert [stage.ask(name, f"sysctl -n {STRICT}").strip() for name in stage.names] == ["1"] * 2


def test_a_batch_that_fails_goes_back(stage: Stage, pods: dict[int, dict[str, str]]) -> None:
    """A fault comes after the new path has been tried: only the pings of the batch that moves can find it."""
    wish(stage, "VXLANCrossSubnet")
    script = stage.lab.files / "fault.sh"
    script.write_text(f"{shlex.join(stage.enter('node2', 'nft', rules(DIRECT_BLOCKED)))} && echo 1\n")
    # Ansible asks for the size of batches when it begins with them.
    fault = {"calico_switch_batch": f"{{{{ lookup('ansible.builtin.pipe', 'sh {script}') | int }}}}"}
    played = stage.play("switch_encapsulation", *QUICK, "-e", json.dumps(fault))
    assert played.status != 0
    message = played.failures[-1]
    assert "node1 -> node2 (pool ipv4, 100% lost)" in message
    assert "node1 went back to the old mode; node2 did not move" in message
    assert "Store the resources" not in played.output
    assert set(devices(stage, "node1", pods).values()) == {"vxlan.calico", "vxlan-v6.calico"}
    assert talk(stage, pods)
    unblock(stage, "node2")


# One run after the other is killed in a later phase: when a batch has moved, and when the new modes are stored.
DEATHS = ("Take the new path to all nodes", "Store the resources")


def test_a_run_that_dies_is_run_again(stage: Stage, pods: dict[int, dict[str, str]]) -> None:
    wish(stage, "None")
    with nothing_lost(stage, pods):
        for task in DEATHS:
            assert stage.play_until("switch_encapsulation", task, *QUICK).status == -9
        stage.succeed("switch_encapsulation", *QUICK)
    assert set(devices(stage, "node2", pods).values()) == {"eth0"}
    assert stage.ask("node2", "ip -o link show type vxlan") == ""
    again = stage.succeed("switch_encapsulation")
    assert "had the modes of the inventory already" in again.output
    assert {line.partition(" : ")[2] for line in again.changed} == {"Make probe pods", "Remove probe pods"}


def test_a_change_that_was_begun_is_called_off(stage: Stage, pods: dict[int, dict[str, str]]) -> None:
    wish(stage, "VXLAN")
    with nothing_lost(stage, pods):
        assert stage.play_until("switch_encapsulation", "Take the new path to all nodes", *QUICK).status == -9
        wish(stage, "None")
        stage.succeed("switch_encapsulation", *QUICK)
    assert set(devices(stage, "node1", pods).values()) == {"eth0"}


def test_check_mode_foretells_and_a_part_is_refused(stage: Stage, pods: dict[int, dict[str, str]]) -> None:
    wish(stage, "VXLAN")
    played = stage.succeed("switch_encapsulation", "--check", "--diff", *QUICK)
    assert "ipv4: None -> VXLAN" in played.output
    assert [line for line in played.changed if "Take the new path" in line] == [
        f"{name}: Take the new path to all nodes" for name in stage.names
    ]
    assert set(devices(stage, "node1", pods).values()) == {"eth0"}
    refused = stage.play("switch_encapsulation", "--limit", "node1")
    assert "node2 cannot be reached or are left out by --limit" in refused.failures[0]
