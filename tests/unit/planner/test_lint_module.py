# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_lint as a program: files, directories and documents in, findings out, and when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import ansible_collections
import pytest

from ansible_collections.podnet.calico.tests.unit.planner.lint_clusters import mesh, reflected, reflector

COLLECTIONS = next(Path(folder).parent for folder in ansible_collections.__path__ if Path(folder, "podnet").is_dir())
WARNED = reflected(reflector("rr1", 1, "a"))
BROKEN = [*mesh(), mesh()[0] | {"metadata": {"name": "again"}}]


def run(**options: t.Any) -> dict[str, t.Any]:
    process = subprocess.run(
        [sys.executable, "-m", "ansible_collections.podnet.calico.plugins.modules.calico_lint"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout, process.stderr
    return t.cast("dict[str, t.Any]", json.loads(process.stdout))


@pytest.mark.parametrize(
    ("documents", "fail_on", "failed"),
    [
        (WARNED, "error", False),
        (WARNED, "warning", True),
        (WARNED, "never", False),
        (BROKEN, "error", True),
        (BROKEN, "warning", True),
        (BROKEN, "never", False),
    ],
)
def test_it_fails_from_the_severity_on_that_is_asked_for(
    documents: list[dict[str, t.Any]], fail_on: str, failed: bool
) -> None:
    result = run(resources=documents, fail_on=fail_on, failure_domain_label="zone")
    assert bool(result.get("failed")) == failed
    assert [(f["rule"], f["severity"], f["subject"]) for f in result["findings"]] == (
        [("single-reflector", "warning", {"kind": "Node", "name": "rr1"})]
        if documents is WARNED
        else [("pool-overlap", "error", {"kind": "IPPool", "name": "again"})]
    )
    assert result["counts"]["error"] + result["counts"]["warning"] == 1
    assert result["lines"][-1].startswith("errors: ")


def test_files_in_and_below_a_directory_are_read_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "pools.yaml").write_text(json.dumps(BROKEN[0]) + "\n---\n" + json.dumps(BROKEN[-1]))
    nodes = {"apiVersion": "projectcalico.org/v3", "kind": "NodeList", "items": BROKEN[1:-1]}
    (tmp_path / "nodes.json").write_text(json.dumps(nodes))
    (tmp_path / "policy.yml").write_text("apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x}\n")
    (tmp_path / "notes.txt").write_text("no: [yaml")
    result = run(src=str(tmp_path), fail_on="never")
    assert [finding["rule"] for finding in result["findings"]] == ["pool-overlap"]
    assert run(src=str(tmp_path / "nodes.json"))["findings"] == []


@pytest.mark.parametrize("content", [None, {}, {"a.yml": "{"}])
def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, content: dict[str, str] | None) -> None:
    place = tmp_path / "place"
    if content is not None:
        place.mkdir()
        for name, text in content.items():
            (place / name).write_text(text)
    result = run(src=str(place))
    assert result["failed"]
    assert str(place) in result["msg"]
