# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-runner, the engine of AWX, with what AWX adds, through a real sshd in every node.

AWX adds files for everything and extra variables, and there is no terminal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from settings import CHECKOUT
from snapshot import differences, take
from stage import Stage

# As AWX passes them to every job.
OF_AWX: t.Final = {
    "awx_job_id": 17,
    "awx_job_launch_type": "manual",
    "awx_job_template_id": 4,
    "awx_job_template_name": "Pod network",
    "awx_inventory_id": 2,
    "awx_inventory_name": "lab",
    "awx_user_name": "operator",
    "awx_project_revision": "0" * 40,
}
EXTRA: t.Final = OF_AWX | {name.replace("awx_", "tower_", 1): value for name, value in OF_AWX.items()}


@pytest.fixture(scope="module")
def private(stage: Stage) -> Path:
    """Have two nodes with SSH, and return the folder of a project whose playbooks name those of the collection."""
    stage.fresh(2, ssh=True)
    folder = stage.lab.files / "runner"
    for name in ("env", "inventory", "project"):
        (folder / name).mkdir(parents=True)
    (folder / "inventory" / "hosts.yml").write_text((stage.lab.files / "inventory-ssh.yml").read_text())
    (folder / "env" / "extravars").write_text(json.dumps(EXTRA))
    for name in ("deploy", "verify"):
        (folder / "project" / f"{name}.yml").write_text(f"- import_playbook: podnet.calico.{name}\n")
    return folder


def run(stage: Stage, private: Path, playbook: str, ident: str, *, cmdline: str = "") -> list[dict[str, t.Any]]:
    """Run a playbook of the project without a terminal and return the events of the job; it has to succeed.

    It runs in the namespace of the network that joins the nodes. cmdline: what AWX makes of a job's type and of its
    switch for differences.
    """
    (private / "env" / "cmdline").write_text(cmdline)
    command = ["ip", "netns", "exec", stage.lab.fabric, sys.executable, "-m", "ansible_runner"]
    command += ["run", str(private), "-p", f"{playbook}.yml", "--ident", ident]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
        "ANSIBLE_CONFIG": "",
    }
    answer = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    paths = (private / "artifacts" / ident / "job_events").glob("*.json")
    events = [json.loads(path.read_text()) for path in paths if "partial" not in path.name]
    return sorted(events, key=lambda event: int(event["counter"]))


def changed(events: list[dict[str, t.Any]]) -> dict[str, int]:
    """Return what the recap of a job counts as changed, by host; hosts without changes are not in it."""
    return dict(_stats(events)["changed"])


def _stats(events: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    (data,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    return dict(data)


@pytest.fixture(scope="module")
def checked(stage: Stage, private: Path) -> None:
    """Run a job of type check, which foretells changes of both nodes and makes none."""
    before = take(stage)
    assert set(changed(run(stage, private, "deploy", "check", cmdline="--check --diff"))) == {"node1", "node2"}
    assert differences(before, take(stage)) == []


@pytest.fixture(scope="module")
def deployed(stage: Stage, private: Path, checked: None) -> Stage:
    """Run a job that deploys."""
    assert set(changed(run(stage, private, "deploy", "first"))) == {"node1", "node2"}
    return stage


def test_job_of_type_check_changes_nothing_and_the_job_deploys(deployed: Stage) -> None:
    assert "dev vxlan.calico" in deployed.ask("node2", "ip route")


@pytest.mark.nightly
def test_second_job_has_nothing_to_do(deployed: Stage, private: Path) -> None:
    assert changed(run(deployed, private, "deploy", "second")) == {}


def test_verdict_is_an_artifact_of_the_job(deployed: Stage, private: Path) -> None:
    artifacts = _stats(run(deployed, private, "verify", "verify"))["artifact_data"]
    assert artifacts["calico_verify_ok"] is True
    assert artifacts["calico_verify_pairs"] == 2
    assert artifacts["calico_verify_failed"] == artifacts["calico_verify_unexpected"] == []
