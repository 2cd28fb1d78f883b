# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that change a running network, step by step: what comes in, and all that goes out, as it was recorded."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.unit.conftest import GOLDEN
from ansible_collections.podnet.calico.tests.unit.stories.stories import (
    MIGRATE,
    REMOVE,
    SWITCH,
    Story,
    Switch,
    inventory,
    migrate,
    pool,
    remove,
    switch,
)
from ansible_collections.podnet.calico.tests.unit.stories.telling import Playbook

ALIVE, DEAD = {"ping": "pong"}, {"unreachable": True, "msg": "Failed to connect to the host"}
BACK_AND_UNREACHABLE = Switch(
    batches=(("node1",), ("node2", "node3")), gone={"node2": {"node1": 1.0}, "node3": "unreachable"}
)
MESHLESS = {"as_number": 64512, "node_to_node_mesh_enabled": False}
REFLECTED = inventory(
    pool("None"),
    own={"node3": {"calico_node_route_reflector_cluster_id": "198.18.0.3", "calico_node_labels": {"rr": "true"}}},
    calico_bgp_configuration=MESHLESS,
    calico_bgp_peers=[{"name": "clients", "node_selector": "!has(rr)", "peer_selector": "has(rr)"}],
)
PODS = {"node2": {"pods": [{"address": "10.244.3.4", "name": "web-1", "device": "veth0"}]}}

# By name: the playbook, and a run of it.
STORIES: dict[str, tuple[Playbook, t.Callable[[], Story]]] = {
    "switch_well": (SWITCH, lambda: switch(Switch())),
    "switch_trial_loses_packets": (SWITCH, lambda: switch(Switch(lost={"node1": {"node3": 0.3}}))),
    "switch_one_back_one_unreachable": (SWITCH, lambda: switch(BACK_AND_UNREACHABLE)),
    "switch_again_after_a_death": (SWITCH, lambda: switch(Switch(earlier=["node1", "node2"]))),
    "remove_live": (REMOVE, lambda: remove(inventory(pool()), "node3", ALIVE)),
    "remove_dead": (REMOVE, lambda: remove(inventory(pool()), "node3", DEAD)),
    "remove_refused": (REMOVE, lambda: remove(REFLECTED, "node3", ALIVE)),
    "migrate_waiting": (MIGRATE, lambda: migrate(PODS)),
    "migrate_refused": (MIGRATE, lambda: migrate({}, disabled=False)),
    "migrate_done": (MIGRATE, lambda: migrate({})),
}


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str, golden: t.Callable[[str, str], None]) -> None:
    playbook, tell = STORIES[story]
    told = []
    for number, step in enumerate(tell(), 1):
        assert step.name in playbook
        told.append(f"{number:02}.yml")
        golden(f"stories/{story}/{told[-1]}", step.text())
    assert sorted(path.name for path in (GOLDEN / "stories" / story).iterdir()) == told


def test_each_record_is_of_a_story() -> None:
    assert {path.name for path in (GOLDEN / "stories").iterdir()} == set(STORIES)
