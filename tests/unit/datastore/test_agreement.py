# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storing, claiming and planning in one step: what is planned is stored, of all runs that come at the same time."""

from __future__ import annotations

import concurrent.futures
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import ATTEMPTS, settle, snapshot
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.tests.unit.datastore.memory import MemoryStore
from ansible_collections.podnet.calico.tests.unit.datastore.test_modules import Runner
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, node, pool, seen

NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
HOSTS = seen(NODES)
ROUNDS = 4


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "store")


def options(*names: str, cidr: str = "10.244.0.0/24") -> dict[str, t.Any]:
    resources = [pool(cidr=cidr), *(node(name, NODES[name]) for name in names)]
    return {"hosts": {name: HOSTS[name] for name in names}, "resources": resources, "store": True}


def stored(run: Runner) -> list[str]:
    return [path.read_text() for path in sorted(run.path.rglob("*.yaml"))]


def owners(run: Runner) -> dict[str, str]:
    """Return the owner of each stored block."""
    found = run("calico_resource_info", kind="IPAMBlock")["resources"]
    return {block["spec"]["cidr"]: block["spec"]["affinity"].partition(":")[2] for block in found}


def test_what_is_planned_is_stored_and_a_second_run_changes_nothing(run: Runner) -> None:
    predicted = run("calico_plan", check=True, **options("node1", "node2"))
    assert stored(run) == []
    made = run("calico_plan", **options("node1", "node2"))
    assert made["changed"]
    assert made["changes"] == predicted["changes"]
    assert made["diff"] == predicted["diff"]
    assert made["plans"] == predicted["plans"]
    assert {name: plan["blocks"] for name, plan in made["plans"].items()} == {
        name: [block] for block, name in owners(run).items()
    }
    kinds = [change["kind"] for change in made["changes"]]
    assert sorted(set(kinds)) == ["IPPool", "Node", "address", "block"]
    again = run("calico_plan", **options("node1", "node2"))
    assert (again["changed"], again["changes"], again["plans"]) == (False, [], made["plans"])
    assert again["stored"] == made["stored"]
    assert not run("calico_resources", check=True, documents=[], expected=made["stored"]).get("failed")


def test_without_store_nothing_is_written_and_nothing_is_said_to_change(run: Runner) -> None:
    planned = run("calico_plan", **{**options("node1"), "store": False})
    assert (planned["changed"], planned["changes"], planned["stored"]) == (False, [], {})
    assert stored(run) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"resources": [pool(cidr="10.244.0.0/24")]}, "there is no Node", id="a node without Node"),
        pytest.param({"hosts": {**HOSTS, "node1": {**HOSTS["node1"], "mtu": 100}}}, "MTU", id="no room for packets"),
        pytest.param({"transition": True}, "store contradicts transition", id="a change of modes"),
    ],
)
def test_what_is_refused_writes_nothing(run: Runner, changed: t.Any, said: str) -> None:
    assert run("calico_plan", **options("node2"))["changed"]
    before = stored(run)
    refused = run("calico_plan", **{**options(*NODES), **changed})
    assert refused["failed"]
    assert said in refused["msg"]
    assert stored(run) == before


def test_runs_at_the_same_time_never_give_two_nodes_one_block(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(NODES)) as workers:
        for turn in range(ROUNDS):
            run = Runner(tmp_path / f"store{turn}")  # each from nothing, without even a lock
            made = list(workers.map(lambda name, run=run: run("calico_plan", **options(name)), NODES))
            assert not [each["msg"] for each in made if each.get("failed")]
            planned = {block: name for each in made for name, plan in each["plans"].items() for block in plan["blocks"]}
            assert len(planned) == len(NODES)
            assert planned == owners(run)


class Contested(MemoryStore):
    """A datastore in which somebody else creates a node whenever one is created, some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def create(self, document: Document) -> Document:
        if self.left:
            self.left -= 1
            super().create(document)
        return super().create(document)


def with_next_node(before: t.Any) -> t.Any:
    name = f"n{len(before)}"
    return {**before, ("Node", name): node(name, "192.0.2.1/24")}


def test_what_somebody_else_has_changed_is_worked_out_anew() -> None:
    store = Contested(ATTEMPTS - 1)
    before, after = settle(store, with_next_node, check_mode=False)
    assert len(before) == ATTEMPTS - 1  # those of the others
    assert sorted(after) == sorted(snapshot(store))
    with pytest.raises(Conflict):
        settle(Contested(ATTEMPTS), with_next_node, check_mode=False)


def test_check_mode_settles_nothing() -> None:
    store = Contested(0)
    before, after = settle(store, with_next_node, check_mode=True)
    assert (len(before), len(after)) == (0, 1)
    assert snapshot(store) == {}
