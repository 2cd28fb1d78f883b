# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose pods get addresses of another node's block is found, and that node is named."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import conflist
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_blocks import of_ranges
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_files import of_networks
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plan_all, pool, seen

NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
OWN, SECOND, GONE = "10.244.166.128/26", "10.244.104.0/26", "10.244.9.0/26"


def planned(encapsulation: str = "VXLAN", bgp: str = "auto") -> dict[str, t.Any]:
    stored = cluster(pool(encapsulation=encapsulation), nodes=NODES)
    return t.cast("dict[str, t.Any]", plan_all(stored, seen(NODES), bgp, standby=True)["node1"])


@pytest.mark.parametrize(
    ("encapsulation", "bgp", "holder"),
    [
        *(("VXLAN", "auto", "node node2"), ("IPIP", "auto", "node node2"), ("None", "auto", "node node2")),
        ("None", "disabled", "node at 192.0.2.12"),
    ],
)
def test_ranges_that_are_another_nodes(encapsulation: str, bgp: str, holder: str) -> None:
    (found,) = of_ranges(planned(encapsulation, bgp), [OWN, SECOND, GONE, "203.0.113.0/24"])
    assert found[:5] == ("wrong", "block", SECOND, f"pods get {OWN}", f"pods get a block of {holder}")
    assert "two hosts give the same addresses" in found.why
    assert "start the pods again" in found.remedy


def test_it_is_found_in_the_list_of_the_runtime(tmp_path: Path) -> None:
    plan = planned()
    network = conflist.Network("podnet-calico", "1.0.0", (SECOND,), plan["cni"]["mtu"])
    (tmp_path / "10-podnet-calico.conflist").write_text(json.dumps(conflist.build(network)))
    options = {
        "config_dir": str(tmp_path),
        "bin_dir": str(tmp_path),
        "name": "podnet-calico",
        "version": "1.0.0",
        "chain": "ptp",
        "calico": {},
        "extra_plugins": [],
        "list_options": {},
        "kubeconfig": {},
    }
    found = [(each.category, each.kind) for each in of_networks(plan, options)]
    assert sorted(found)[-2:] == [("wrong", "block"), ("wrong", "network")]
