# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at the same time: the one whose plan does not hold any more is refused before it writes anything."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.filter.steps import hosts_with_changes
from ansible_collections.podnet.calico.tests.unit.datastore.test_modules import Runner
from ansible_collections.podnet.calico.tests.unit.planner.clusters import Document, node, pool, seen

NODES = {"node1": "192.0.2.11/24", "node3": "192.0.2.13/24"}
HOSTS = seen(NODES)
FOUR_BLOCKS = "10.244.0.0/24"


class Deployment:
    """What deploy does with the datastore, step by step."""

    def __init__(self, run: Runner, documents: list[Document], names: t.Sequence[str]) -> None:
        self.run, self.documents, self.names = run, documents, list(names)
        plan = run("calico_plan", hosts={name: HOSTS[name] for name in names}, resources=documents)
        self.plans, self.stored = plan["plans"], plan["stored"]

    def _kept(self, result: t.Any) -> t.Any:
        self.stored = result.get("stored", self.stored)
        return result

    def store(self) -> t.Any:
        return self._kept(self.run("calico_resources", documents=self.documents, expected=self.stored))

    def claim(self) -> t.Any:
        options = {"nodes": self.names, "resources": self.documents, "expected": self.stored}
        return self._kept(self.run("calico_ipam", **options))

    def check(self) -> t.Any:
        return self.run("calico_resources", check=True, documents=[], expected=self.stored)


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "store")


def of_one(name: str, encapsulation: str = "VXLAN") -> list[Document]:
    return [pool(cidr=FOUR_BLOCKS, encapsulation=encapsulation), node(name, NODES[name])]


def stored(run: Runner) -> list[str]:
    return [path.read_text() for path in sorted(run.path.rglob("*.yaml"))]


def test_a_block_that_another_run_has_claimed_since_is_refused_before_anything_is_written(run: Runner) -> None:
    first, second = (Deployment(run, of_one(name), [name]) for name in ("node1", "node3"))
    assert first.plans["node1"]["blocks"] == second.plans["node3"]["blocks"]  # else there is nothing to refuse
    assert first.store()["changed"]
    assert first.claim()["changed"]
    before = stored(run)
    refused = second.store()
    assert refused["failed"]
    assert refused["failure"]["objects"] == ['IPAMBlock "10-244-0-128-26"', 'IPPool "main"', 'Node "node1"']
    assert "Run this again when no other playbook works on the cluster" in refused["msg"]
    assert stored(run) == before
    again = Deployment(run, of_one("node3"), ["node3"])
    assert again.store()["changed"]
    assert again.claim()["changed"]
    assert not again.check().get("failed")
    assert first.check()["msg"].startswith("go on by the plan: another run has changed the datastore since this one")


def test_a_claim_between_the_other_ones_resources_and_blocks_is_refused(run: Runner) -> None:
    both = [*of_one("node1"), node("node3", NODES["node3"])]
    Deployment(run, both, []).store()
    first, second = (Deployment(run, both, [name]) for name in ("node1", "node3"))
    for each in (first, second):
        assert not each.store()["changed"]
    assert first.claim()["changed"]
    before = stored(run)
    assert second.claim()["failure"]["objects"] == ['IPAMBlock "10-244-0-128-26"', 'Node "node1"']
    assert stored(run) == before


def test_of_two_runs_with_other_modes_one_is_refused(run: Runner) -> None:
    base = Deployment(run, of_one("node1", "IPIP"), ["node1"])
    base.store()
    base.claim()
    early, late = (Deployment(run, of_one("node1", mode), ["node1"]) for mode in ("IPIPCrossSubnet", "None"))
    assert early.store()["changed"]
    assert late.store()["failed"]
    assert not early.claim().get("failed")
    # One that plans when the first has stored may go on; so the first has to know.
    assert not early.check().get("failed")
    later = Deployment(run, of_one("node1", "IPIP"), ["node1"])
    assert later.store()["changed"]
    assert early.check()["failure"]["objects"] == ['IPPool "main"']
    assert not later.claim().get("failed")
    assert not later.check().get("failed")


def test_check_mode_expects_what_is_stored(run: Runner) -> None:
    documents = of_one("node1")
    plan = run("calico_plan", hosts={"node1": HOSTS["node1"]}, resources=documents)
    written = run("calico_resources", check=True, documents=documents, expected=plan["stored"])
    claimed = run("calico_ipam", check=True, nodes=["node1"], resources=documents, expected=written["stored"])
    assert claimed["changed"]
    assert written["stored"] == claimed["stored"] == plan["stored"] == {}


def test_hosts_on_which_something_was_changed() -> None:
    unchanged, changed = {"changed": False}, {"changed": True}
    hostvars: t.Any = {"a": {"one": unchanged}, "b": {"one": unchanged, "two": changed}, "c": {}}
    assert hosts_with_changes(hostvars, ["a", "b", "c"], ["one", "two"]) == ["b"]
