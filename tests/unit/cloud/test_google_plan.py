# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Compute Engine, for what it may answer; tests/cloud asks a stand-in for it."""

from __future__ import annotations

import re

from ansible_collections.podnet.calico.plugins.module_utils.cloud import google_plan
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Need

NAME = "projects/mine/zones/zone-a/instances/node1"
NETWORK = "projects/shared/global/networks/default"
FOUND = {
    "networkInterfaces": [
        {"networkIP": "172.16.0.11", "network": "https://compute/v1/projects/mine/global/networks/other"},
        {"networkIP": "192.0.2.11", "network": f"https://compute/v1/{NETWORK}"},
    ],
    "tags": {"items": ["nodes"]},
}
NODE = google_plan.as_instance(NAME, FOUND, ["192.0.2.11"])


def test_the_interface_with_the_nodes_address_tells_the_network() -> None:
    assert (NODE.network, NODE.address) == (NETWORK, "192.0.2.11")
    assert google_plan.as_instance(NAME, FOUND, []).address == "172.16.0.11"


def test_the_label_is_written_before_and_deleted_after_the_change() -> None:
    done = google_plan.switch_on([NODE])
    back = google_plan.restore([NODE._replace(forwards=True, ours=True)])
    assert [step.method for step in (*done, *back)] == ["label", "forward", "forward", "label"]
    assert google_plan.restore([NODE._replace(forwards=True)]) == []


def test_names_of_rules_are_valid_and_tell_networks_tags_and_needs_apart() -> None:
    needs = [Need("4", None, ""), Need("udp", 4789, ""), Need("", None, "10.0.0.0/8"), Need("", None, "2001:db8::/32")]
    places = [(NETWORK, "nodes"), (NETWORK, "t" * 63), (f"{NETWORK}2", "nodes")]
    names = [google_plan.rule_name(network, tag, need) for network, tag in places for need in needs]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z][a-z0-9-]{0,61}[a-z0-9]", name)] == []


def test_the_rule_for_pods_is_for_all_of_their_packets() -> None:
    (step,) = google_plan.add_rules([NODE], "nodes", [], [Need("", None, "10.244.0.0/16")])
    body = step.arguments["body"]
    assert (body["allowed"], body["sourceRanges"]) == ([{"IPProtocol": "all"}], ["10.244.0.0/16"])
    assert google_plan.add_rules([NODE], "nodes", [body], [Need("", None, "10.244.0.0/17")]) == []
