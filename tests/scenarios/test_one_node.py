# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of one node: there is nothing to ping, which is said and no failure, and its mode can be changed."""

from __future__ import annotations

from stage import Stage

NOTHING = "Nothing to ping: node1 is alone in this run"


def test_one_node_is_a_cluster(stage: Stage) -> None:
    stage.fresh(1, "None")
    stage.succeed("deploy")
    assert NOTHING in stage.succeed("verify").output
    vxlan = stage.changed_inventory(lambda group: group["vars"]["calico_ip_pools"][0].update(encapsulation="VXLAN"))
    switched = stage.succeed("switch_encapsulation", inventory=vxlan).output
    assert "None -> VXLAN: 1 node" in switched
    assert "Nothing was pinged: there is no other node." in switched
    assert stage.succeed("deploy", inventory=vxlan).changed == []
