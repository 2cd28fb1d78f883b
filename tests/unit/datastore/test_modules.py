# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource modules as programs: check mode, diff, second run, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import ansible_collections
import pytest

COLLECTIONS = next(Path(folder).parent for folder in ansible_collections.__path__ if Path(folder, "podnet").is_dir())
PACKAGE = "ansible_collections.podnet.calico.plugins.modules"

Result = dict[str, t.Any]


class Runner:
    """Runs modules in processes of their own, against a datastore that does not exist at first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, module: str, *, check: bool = False, **options: t.Any) -> Result:
        arguments = {**options, "datastore": {"path": str(self.path)}}
        arguments.update({"_ansible_check_mode": check, "_ansible_diff": True})
        process = subprocess.run(
            [sys.executable, "-m", f"{PACKAGE}.{module}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.stdout, process.stderr
        return t.cast("Result", json.loads(process.stdout))


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "store")


OPTIONS: dict[str, tuple[str, Result, Result]] = {
    "pool": (
        "calico_ippool",
        {"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "VXLANCrossSubnet"},
        {"name": "main", "nat_outgoing": True},
    ),
    "node": (
        "calico_node",
        {"name": "n1", "ipv4_address": "192.0.2.1/24", "as_number": "1.10", "labels": {"rack": "r1"}},
        {"name": "n1", "labels": {"rack": None}},
    ),
    "peer": (
        "calico_bgp_peer",
        {"name": "p", "peer_ip": "192.0.2.1", "as_number": 64513, "password": {"name": "bgp", "key": "p"}},
        {"name": "p", "peer_selector": "has(rr)"},
    ),
    "configuration": (
        "calico_bgp_configuration",
        {"service_cluster_ips": ["10.96.0.0/12"], "node_to_node_mesh_enabled": False},
        {
            "communities": [{"name": "a", "value": "1:2"}],
            "prefix_advertisements": [{"cidr": "10.0.0.0/8", "communities": ["a"]}],
        },
    ),
}


@pytest.mark.parametrize(("module", "options", "change"), OPTIONS.values(), ids=OPTIONS)
def test_life_of_a_resource(run: Runner, module: str, options: Result, change: Result) -> None:
    predicted = run(module, check=True, **options)
    assert predicted["changed"] is True
    assert not run.path.exists()
    created = run(module, **options)
    assert (created["changes"], created["diff"]) == (predicted["changes"], predicted["diff"])
    assert created["resource"]["spec"] == predicted["resource"]["spec"]
    again = run(module, **options)
    assert (again["changed"], again["resource"]) == (False, created["resource"])
    changed = run(module, **change)
    assert [item["action"] for item in changed["changes"]] == ["replace"]
    assert changed["diff"]["before"] == created["diff"]["after"]
    assert changed["diff"]["after"] != changed["diff"]["before"]
    assert run(module, **change)["changed"] is False
    name = created["resource"]["metadata"]["name"]
    gone = run(module, name=name, state="absent")
    assert (gone["changes"][0]["action"], gone["resource"]) == ("delete", None)
    assert run(module, name=name, state="absent")["changed"] is False


def test_pool_takes_the_names_of_the_resource(run: Runner) -> None:
    created = run("calico_ippool", name="main", cidr="10.244.0.0/16", ipipMode="CrossSubnet")
    assert created["resource"]["spec"]["ipipMode"] == "CrossSubnet"
    assert run("calico_ippool", name="main", encapsulation="IPIPCrossSubnet")["changed"] is False
    switched = run("calico_ippool", name="main", vxlanMode="Always")["resource"]["spec"]
    assert (switched["ipipMode"], switched["vxlanMode"]) == ("Never", "Always")


def test_refused_change_leaves_everything_as_it_was(run: Runner) -> None:
    run("calico_ippool", name="main", cidr="10.244.0.0/16")
    for check in (True, False):
        refused = run("calico_ippool", check=check, name="second", cidr="10.244.4.0/24")
        assert refused["failed"] is True
        assert 'overlaps "10.244.0.0/16" of IPPool "main"' in refused["msg"]
        assert refused["failure"]["kind"] == "InvalidInput"
        assert refused["failure"]["remedy"]
    assert len(run("calico_resource_info", kind="IPPool")["resources"]) == 1


def document(kind: str, name: t.Any, **spec: t.Any) -> Result:
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_many_resources_with_prune(run: Runner) -> None:
    run("calico_node", name="kept", ipv4_address="192.0.2.9/24")
    first = [document("IPPool", "a", cidr="10.0.0.0/16"), document("Node", "n1", bgp={"ipv4Address": "192.0.2.1/24"})]
    created = run("calico_resources", documents=first, prune=True)
    assert [item["metadata"]["labels"] for item in created["resources"]] == [{"podnet.calico/managed": "true"}] * 2
    assert run("calico_resources", documents=first, prune=True)["changed"] is False
    second = [document("IPPool", "b", cidr="10.0.0.0/8")]
    assert run("calico_resources", documents=second)["failed"] is True
    swapped = run("calico_resources", documents=second, prune=True)
    assert [(item["action"], item["name"]) for item in swapped["changes"]] == [
        ("create", "b"),
        ("delete", "n1"),
        ("delete", "a"),
    ]
    left = run("calico_resource_info")["resources"]
    assert [(item["kind"], item["metadata"]["name"]) for item in left] == [("IPPool", "b"), ("Node", "kept")]


def test_many_resources_absent(run: Runner) -> None:
    documents = [document("BGPFilter", "f"), document("BGPPeer", "p", peerIP="192.0.2.1", asNumber=1, filters=["f"])]
    run("calico_resources", documents=documents)
    gone = run("calico_resources", documents=documents, state="absent")
    assert [item["kind"] for item in gone["changes"]] == ["BGPPeer", "BGPFilter"]
    assert gone["resources"] == []
    refused = run("calico_resources", documents=documents, state="absent", prune=True)
    assert "prune contradicts state absent" in refused["msg"]


@pytest.mark.parametrize(("name", "text"), [(7, "7"), (1.5, "1.5"), (True, "true")])
def test_names_that_yaml_reads_as_something_else_are_texts(run: Runner, name: t.Any, text: str) -> None:
    node = document("Node", name, bgp={"ipv4Address": "192.0.2.1/24"})
    created = run("calico_resources", documents=[node, document("IPPool", "p", cidr="10.0.0.0/16", vxlanMode="Always")])
    assert [item["metadata"]["name"] for item in created["resources"]] == [text, "p"]
    claimed = run("calico_ipam", nodes=[text])
    assert claimed["changed"] is True
    assert run("calico_resources", documents=[node])["changed"] is False
    assert run("calico_ipam", nodes=[text])["changed"] is False
    assert run("calico_resources", documents=[document("BGPPeer", name)], state="absent")["changed"] is False


def test_documents_without_a_name_are_refused(run: Runner) -> None:
    refused = run("calico_resources", documents=[document("BGPFilter", "f"), {"kind": "Node"}])
    assert refused["msg"].startswith("documents[1] has no kind or no metadata.name")


def test_info_returns_one_object_or_none(run: Runner) -> None:
    run("calico_resources", documents=[document("Node", "n1"), document("Node", "n2")])
    found = run("calico_resource_info", kind="Node", name="n2")
    assert (found["changed"], [item["metadata"]["name"] for item in found["resources"]]) == (False, ["n2"])
    assert run("calico_resource_info", kind="Node", name="n3")["resources"] == []
    assert "kind" in run("calico_resource_info", name="n2")["msg"]
