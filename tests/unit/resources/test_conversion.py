# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Structures of the inventory take what the options of the modules take, and refuse the rest by the option's name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents, pools_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise

POOL = {"name": "p4", "cidr": "10.244.0.0/16", "encapsulation": "VXLAN"}
PEER = {"name": "tor", "peer_ip": "192.0.2.1", "as_number": "64513"}
RULE = {"action": "Accept", "cidr": "192.0.2.0/24", "match_operator": "In"}


def filtered(**rule: t.Any) -> dict[str, t.Any]:
    return {"filters": [{"name": "f", "import_v4": [{**RULE, **rule}]}]}


# By what the inventory has, as texts of an extra variable or a survey are: where it arrives, and as what.
TAKEN: dict[str, tuple[dict[str, t.Any], str, t.Any]] = {
    "an integer": ({"pools": [{**POOL, "block_size": "26"}]}, "blockSize", 26),
    "a boolean": ({"pools": [{**POOL, "nat_outgoing": "true"}]}, "natOutgoing", True),
    "yes": ({"pools": [{**POOL, "disabled": "yes"}]}, "disabled", True),
    "a text of a number": ({"pools": [{**POOL, "name": 5}]}, "blockSize", 26),
    "a list with commas": (
        {"pools": [{**POOL, "allowed_uses": "Workload,Tunnel"}]},
        "allowedUses",
        ["Workload", "Tunnel"],
    ),
    "hops": ({"peers": [{**PEER, "ttl_security": "2"}]}, "ttlSecurity", 2),
    "a filter's name": ({"peers": [{**PEER, "filters": "f"}]}, "filters", ["f"]),
    "a port": ({"bgp_configuration": {"listen_port": "1179"}}, "listenPort", 1179),
    "a mesh": ({"bgp_configuration": {"node_to_node_mesh_enabled": "no"}}, "nodeToNodeMeshEnabled", False),
    "lengths": (filtered(prefix_length={"min": "24", "max": 28}), "importV4.0.prefixLength", {"min": 24, "max": 28}),
    "pairs": (filtered(prefix_length="min=24 max=28"), "importV4.0.prefixLength", {"min": 24, "max": 28}),
    "a priority": (filtered(priority="100"), "importV4.0.priority", 100),
}


@pytest.mark.parametrize(("inventory", "path", "value"), TAKEN.values(), ids=TAKEN)
def test_texts_become_what_the_option_is(inventory: dict[str, t.Any], path: str, value: t.Any) -> None:
    (document,) = documents(**inventory)
    found: t.Any = normalise(document)["spec"]
    for part in path.split("."):
        found = found[int(part)] if part.isdecimal() else found[part]
    assert found == value


# What is refused, and with which words.
REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "a word as number": (
        {"pools": [{**POOL, "block_size": "large"}]},
        "calico_ip_pools[0].block_size is no integer. Write a number",
    ),
    "a word as boolean": ({"pools": [{**POOL, "disabled": "maybe"}]}, "calico_ip_pools[0].disabled is no boolean"),
    "a range as lengths": (
        filtered(prefix_length="24-28"),
        "calico_bgp_filters[0].import_v4[0].prefix_length is no mapping. Write it as {min: ..., max: ...}",
    ),
    "a word as rule": (
        {"filters": [{"name": "f", "export_v6": ["Accept"]}]},
        "calico_bgp_filters[0].export_v6[0] is no mapping. Write it as {action: ..., cidr: ...",
    ),
    "a word as pool": ({"pools": ["p4"]}, "calico_ip_pools[0] is no mapping. Write it as {name: ..., cidr: ..."),
    "a text as pools": ({"pools": "[{name: p4}]"}, "calico_ip_pools is no list. Write a list of mappings"),
    "a mapping as range": ({"pools": [{**POOL, "cidr": {}}]}, "calico_ip_pools[0].cidr is no text"),
    "a password itself": (
        {"peers": [{**PEER, "password": "hunter2"}]},
        "calico_bgp_peers[0].password is no mapping. Write it as {name: ..., key: ..., optional: ...}",
    ),
    "a word as settings": ({"bgp_configuration": "mesh"}, "calico_bgp_configuration is no mapping"),
}


@pytest.mark.parametrize(("inventory", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_converted_is_refused_with_the_form_and_without_the_value(
    inventory: dict[str, t.Any], said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents(**inventory)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_preflight_probe_and_cloud_read_pools_likewise() -> None:
    (pool,) = pools_of([{**POOL, "block_size": "27"}])
    assert pool.block_size == 27


def test_every_option_has_a_type() -> None:
    own = {"encapsulation", "ipip_mode", "vxlan_mode"}
    assert set(option_specs.IPPOOL) == set(options.IPPOOL) | own
    assert set(option_specs.BGP_PEER) == {*options.BGP_PEER, "password"}
    assert set(option_specs.BGP_FILTER) == set(options.BGP_FILTER)
    known = {*options.BGP_CONFIGURATION, *options.SERVICE_RANGES, "node_mesh_password"}
    assert set(option_specs.BGP_CONFIGURATION) == known
