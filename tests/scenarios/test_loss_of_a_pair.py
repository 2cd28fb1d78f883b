# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link that breaks: verify names exactly the pairs that it carries, and deploy repairs it."""

from __future__ import annotations

import json

from stage import Stage

# The default waits longer for a network that is only just coming up.
QUICKLY = ("-e", "verify_wait=1", "-e", "verify_count=4")


def test_broken_pairs_are_named_and_repaired(stage: Stage) -> None:
    stage.fresh(3)
    stage.succeed("deploy")
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
    assert stage.succeed("deploy").changed == ["node1: podnet.calico.dataplane : Configure tunnels"]
    assert "All 6 pairs answer" in stage.succeed("verify", *QUICKLY).output
