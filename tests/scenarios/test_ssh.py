# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same playbooks through a real sshd in every node."""

from __future__ import annotations

from stage import Stage


def test_deploy_and_verify_through_ssh(stage: Stage) -> None:
    stage.fresh(2, ssh=True)
    inventory = stage.lab.files / "inventory-ssh.yml"
    first = stage.succeed("deploy", inventory=inventory, inside_fabric=True)
    assert {line.partition(":")[0] for line in first.changed} == {"node1", "node2"}
    assert stage.succeed("deploy", inventory=inventory, inside_fabric=True).changed == []
    verified = stage.succeed("verify", inventory=inventory, inside_fabric=True)
    assert "All 2 pairs answer" in verified.output
