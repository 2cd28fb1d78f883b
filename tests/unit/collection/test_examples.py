# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of the documentation: Ansible reads them, and the planner finds nothing to refuse in them."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents
from ansible_collections.podnet.calico.tests.unit import programs
from ansible_collections.podnet.calico.tests.unit.planner.clusters import plan_all

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "docs" / "examples").glob("*.yml"))
HEADINGS = {
    "pools": "calico_ip_pools",
    "filters": "calico_bgp_filters",
    "peers": "calico_bgp_peers",
    "bgp_configuration": "calico_bgp_configuration",
}


def read(path: Path) -> dict[str, dict[str, t.Any]]:
    """Return the variables of the group calico_nodes by host, as ansible-inventory sees them."""
    answer = subprocess.run(
        [programs.find("ansible-inventory"), "-i", str(path), "--list"],
        env={**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(answer.stdout)
    variables: dict[str, dict[str, t.Any]] = found["_meta"]["hostvars"]
    groups = found["calico_nodes"]
    hosts = groups.get("hosts", []) + [host for child in groups.get("children", []) for host in found[child]["hosts"]]
    return {host: variables[host] for host in hosts}


def as_node(host: str, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a host as the playbooks would see it if its interface had a /24."""
    return {
        "host": host,
        "name": host,
        "address": variables.get("calico_node_address", f"{variables['ansible_host']}/24"),
        "labels": variables.get("calico_node_labels"),
        "route_reflector_cluster_id": variables.get("calico_node_route_reflector_cluster_id"),
    }


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_can_be_planned(path: Path) -> None:
    hosts = read(path)
    nodes = [as_node(host, variables) for host, variables in hosts.items()]
    shared = next(iter(hosts.values()))
    given = {option: shared[variable] for option, variable in HEADINGS.items() if variable in shared}
    stored = put({}, documents(nodes=nodes, **given))
    seen = {
        node["name"]: {"address": node["address"], "device": "eth0", "mtu": 1500, "encapsulations": ["ipip", "vxlan"]}
        for node in nodes
    }
    plans = plan_all(claim(stored, list(seen), now=0), seen, "auto")
    assert set(plans) == set(hosts)
    assert all(plan["blocks"] for plan in plans.values())
