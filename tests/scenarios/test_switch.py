# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes change under load, with both IP versions: to the end, and into faults and back."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from stage import Stage
from switching import QUICK, STRICT, Pods, deploy, devices, nothing_lost, talk, wish

from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

TUNNELS_BLOCKED = "udp dport 4789 drop"
DIRECT_BLOCKED = "iifname eth0 ip saddr 10.244.0.0/16 drop"


@pytest.fixture(scope="module")
def pods(stage: Stage) -> Pods:
    """Have no encapsulation."""
    return deploy(stage, "None")


def rules(rule: str) -> str:
    """Return what makes nft treat packets that arrive by a rule, whatever it has been told before."""
    hook = "{ type filter hook prerouting priority -300; }"
    return f"add table inet fault; add chain inet fault arriving {hook}; add rule inet fault arriving {rule}"


def late_fault(stage: Stage, rule: str) -> list[str]:
    """Return arguments by which a rule comes when the new path has been tried: only pings of a batch can find it."""
    script = stage.lab.files / "fault.sh"
    script.write_text(f"{shlex.join(stage.enter('node2', 'nft', rules(rule)))} && echo 1\n")
    return batches_of(script)


def batches_of(script: Path) -> list[str]:
    """Return arguments by which a script says how large batches are, which Ansible asks when it begins with them."""
    return ["-e", json.dumps({"calico_switch_batch": f"{{{{ lookup('ansible.builtin.pipe', 'sh {script}') | int }}}}"})]


def unblock(stage: Stage, node: str) -> None:
    """Take such rules back."""
    stage.ask(node, "nft delete table inet fault")


def test_a_path_that_does_not_work_is_found_before_a_pod_takes_it(stage: Stage, pods: Pods) -> None:
    wish(stage, "VXLAN")
    stage.ask("node2", f"nft '{rules(TUNNELS_BLOCKED)}'")
    with nothing_lost(stage, pods):
        played = stage.play("switch_encapsulation", *QUICK)
    unblock(stage, "node2")
    assert played.status != 0
    message = played.failures[-1]
    assert "ipv4: None -> VXLAN; ipv6: None -> VXLAN" in message
    assert re.search(r"node1: node2 \(10\.244\.\S+, pool ipv4\): 100% lost", message)
    assert "node1, node2 did not move" in message
    assert "run switch_encapsulation again" in message
    assert [stage.run(name, "ip netns | grep podnet-probe").stdout for name in stage.names] == [""] * 2


def test_repaired_and_run_again_it_loses_nothing(stage: Stage, pods: Pods) -> None:
    with nothing_lost(stage, pods):
        played = stage.succeed("switch_encapsulation", *QUICK)
    assert "4 pairs of nodes were pinged as soon as the first of them had moved: 40 packets, 0 lost" in " ".join(
        played.output.split()
    )
    assert set(devices(stage, "node1", pods).values()) == {"vxlan.calico", "vxlan-v6.calico"}
    assert stage.run("node1", "pgrep -x bird").returncode != 0
    assert [stage.ask(name, f"sysctl -n {STRICT}").strip() for name in stage.names] == ["1"] * 2


def test_a_batch_that_fails_goes_back(stage: Stage, pods: Pods) -> None:
    wish(stage, "VXLANCrossSubnet")
    played = stage.play("switch_encapsulation", *QUICK, *late_fault(stage, DIRECT_BLOCKED))
    assert played.status != 0
    message = played.failures[-1]
    assert re.search(r"node2 \(10\.244\.\S+, pool ipv4\): 100% lost", message)
    assert "node1 went back to the old mode; node2 did not move" in message
    assert "Store the new modes" not in played.output
    assert set(devices(stage, "node1", pods).values()) == {"vxlan.calico", "vxlan-v6.calico"}
    assert talk(stage, pods)
    unblock(stage, "node2")


def test_a_node_goes_back_by_itself_when_the_control_dies(stage: Stage, pods: Pods) -> None:
    wish(stage, "VXLANCrossSubnet")
    old, new = {"vxlan.calico", "vxlan-v6.calico"}, {"eth0"}

    def on(ways: set[str]) -> bool:
        return set(devices(stage, "node1", pods).values()) == ways

    patient = ["-e", "calico_switch_wait=60"]  # so that it dies among the pings
    fault = late_fault(stage, DIRECT_BLOCKED)
    assert stage.play_while("switch_encapsulation", lambda: on(new), *patient, *fault).status == -9
    wait_for(lambda: on(old), "the old path")
    assert talk(stage, pods)
    unblock(stage, "node2")


def test_a_batch_that_cannot_be_reached_ends_the_run(stage: Stage, pods: Pods) -> None:
    """Ansible itself would go on with the next batch (findings/ansible-unreachable-batch-goes-on.sh)."""
    pid = stage.lab.run_dir / "nodes" / "node1" / "pid"
    script = stage.lab.files / "fault.sh"
    script.write_text(f"[ ! -e {pid} ] || mv {pid} {pid}.away\necho 1\n")
    played = stage.play("switch_encapsulation", *QUICK, *batches_of(script))
    pid.with_name("pid.away").rename(pid)
    assert played.status != 0
    said, *others = [failure for failure in played.failures if "How to go on" in failure]
    assert others == [], played.failures
    assert "Found: node1: Task failed: Cannot enter lab node node1" in said
    assert "node1, node2 did not move" in said
    assert not [line for line in played.changed if "Take the new path" in line]
    assert "Store the new modes" not in played.output
    assert talk(stage, pods)


def test_check_mode_foretells_and_a_part_is_refused(stage: Stage, pods: Pods) -> None:
    wish(stage, "None")
    played = stage.succeed("switch_encapsulation", "--check", "--diff", *QUICK)
    assert "ipv4: VXLAN -> None" in played.output
    assert [line for line in played.changed if "Take the new path" in line] == [
        f"{name}: Take the new path to all nodes" for name in stage.names
    ]
    assert set(devices(stage, "node1", pods).values()) == {"vxlan.calico", "vxlan-v6.calico"}
    refused = stage.play("switch_encapsulation", "--limit", "node1")
    assert "node2 cannot be reached or are left out by --limit" in refused.failures[0]
