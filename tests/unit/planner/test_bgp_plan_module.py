# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module calico_bgp_plan as a program: a directory of documents in, sessions out; no root, no datastore."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import ansible_collections
import pytest

from ansible_collections.podnet.calico.tests.unit.planner.clusters import document, node, pool

COLLECTIONS = next(Path(folder).parent for folder in ansible_collections.__path__ if Path(folder, "podnet").is_dir())
MODULE = "ansible_collections.podnet.calico.plugins.modules.calico_bgp_plan"

POOLS = """\
apiVersion: projectcalico.org/v3
kind: IPPoolList
metadata: {resourceVersion: "77"}
items:
- metadata: {name: main, uid: 6f1f0b62-6f54-4e29-8b5c-0a5d7b6b9d11, creationTimestamp: 2026-01-02T03:04:05Z}
  spec: {cidr: 10.244.0.0/16, ipipMode: Always, natOutgoing: true}
"""
NODES = """\
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1, labels: {kubernetes.io/os: linux}}
spec:
  bgp: {ipv4Address: 192.0.2.1/24, ipv4IPIPTunnelAddr: 10.244.0.1}
  orchRefs: [{nodeName: n1, orchestrator: k8s}]
status: {podCIDRs: [10.244.0.0/24]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2}
spec: {bgp: {ipv4Address: 192.0.2.2/24}}
---
---
apiVersion: v1
kind: Node
metadata: {name: n1}
"""
OTHERS = """\
apiVersion: v1
kind: List
items:
- {apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {}}
- {apiVersion: crd.projectcalico.org/v1, kind: BGPFilter, metadata: {name: f}, spec: {exportV4: [{action: Accept}]}}
- apiVersion: crd.projectcalico.org/v1
  kind: BGPPeer
  metadata: {name: tor}
  spec: {node: n1, peerIP: 192.0.2.254, asNumber: 64513, filters: [f]}
"""


def run(**options: t.Any) -> dict[str, t.Any]:
    process = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout, process.stderr
    return t.cast("dict[str, t.Any]", json.loads(process.stdout))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Return a directory as calicoctl and kubectl would have filled it."""
    (tmp_path / "bgp").mkdir()
    files = {"pools.yaml": POOLS, "nodes.yml": NODES, "bgp/others.yaml": OTHERS, "README.md": "# {", ".x.yaml": "{"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_directory(exported: Path) -> None:
    result = run(src=str(exported))
    assert result["changed"] is False
    assert {name: [session["name"] for session in bgp["sessions"]] for name, bgp in result["bgp"].items()} == {
        "n1": ["bgp_192_0_2_2", "bgp_192_0_2_254"],
        "n2": ["bgp_192_0_2_1"],
    }
    assert [found["name"] for found in result["bgp"]["n1"]["filters"]] == ["f"]
    assert [(found["kind"], found["name"]) for found in result["skipped"]] == [
        ("NetworkPolicy", "deny"),
        ("Node", "n1"),
    ]
    assert all(found["reason"] for found in result["skipped"])


def test_some_nodes(exported: Path) -> None:
    assert list(run(src=str(exported), nodes=["n2"])["bgp"]) == ["n2"]
    result = run(src=str(exported), nodes=["n9"])
    assert result["failed"] is True
    assert "there is no Node of that name. Nodes are: n1, n2" in result["msg"]


def test_one_file_without_pools(exported: Path) -> None:
    result = run(src=str(exported / "nodes.yml"))
    assert [session["peer"] for session in result["bgp"]["n1"]["sessions"]] == ["n2"]


def test_resources() -> None:
    documents = [pool(), node("n1", "192.0.2.1/24"), node("n2", "192.0.2.2/24"), node("n6", "2001:db8::1/64")]
    result = run(resources=documents)
    assert result["bgp"]["n6"] is None
    assert [session["remote_as"] for session in result["bgp"]["n1"]["sessions"]] == [64512]


PEER = document("BGPPeer", "p", peerIP="192.0.2.9", asNumber=1, filters=["gone"])
# By options: what the message says.
REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "neither": ({}, "one of the following is required: src, resources"),
    "both": ({"src": "/nowhere", "resources": []}, "mutually exclusive"),
    "nothing there": ({"src": "/nowhere"}, "Reading documents from /nowhere: No such file or directory"),
    "a wrong document": ({"resources": [document("Node", "n1", bgp={"ipv4Address": "1"})]}, 'Node "n1": spec.bgp'),
}


@pytest.mark.parametrize(("options", "expected"), REFUSED.values(), ids=REFUSED)
def test_refusals(options: dict[str, t.Any], expected: str) -> None:
    result = run(**options)
    assert result["failed"] is True
    assert expected in result["msg"]


# By documents beside a node: what calico_plan would refuse, and this module only tells.
TOLD = {
    "a filter that is not there": (PEER, 'BGPFilter "gone"'),
    "pods as peers": (
        document("BGPPeer", "p", localWorkloadSelector="all()", asNumber=1),
        "spec.localWorkloadSelector",
    ),
}


@pytest.mark.parametrize(("told", "expected"), TOLD.values(), ids=TOLD)
def test_problems_are_told(told: dict[str, t.Any], expected: str) -> None:
    result = run(resources=[node("n1", "192.0.2.1/24"), told])
    assert list(result["bgp"]) == ["n1"]
    [problem] = result["problems"]
    assert expected in problem


def test_pools_that_overlap_are_no_reason_to_refuse() -> None:
    pools = [pool(name=name, cidr=cidr) for name, cidr in (("a", "10.0.0.0/8"), ("b", "10.1.0.0/16"))]
    assert run(resources=[*pools, node("n1", "192.0.2.1/24")])["problems"] == []


def test_broken_yaml(exported: Path) -> None:
    (exported / "broken.yaml").write_text("a: [", encoding="utf-8")
    assert f"Reading {exported}/broken.yaml: line" in run(src=str(exported))["msg"]
