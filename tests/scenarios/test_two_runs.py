# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments at the same time: no two nodes get one block, and one whose plan has become void says so and ends."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time

import pytest
from audits import audit
from stage import PROGRAMS, Stage

VOID = "another run has changed the datastore since this one planned"
ROUNDS_AT_NIGHT = 20
# Who asks for the value of this variable is held up when routes have changed.
WHEN_ROUTES_HAVE_CHANGED = ("cni_config_dir", "'/etc/cni/net.d'")


class Held:
    """A deployment that stands still in the middle until it is let go."""

    def __init__(self, stage: Stage, place: tuple[str, str], *arguments: str) -> None:
        self.here, self.go = (stage.lab.files / name for name in ("here", "go"))
        for file in (self.here, self.go):
            file.unlink(missing_ok=True)
        script = stage.lab.files / "hold.sh"
        script.write_text(
            f"touch {self.here}\nfor turn in $(seq 600); do [ -e {self.go} ] && break; sleep 0.2; done\necho 1\n"
        )
        variable, value = place
        held = f"{{{{ {value} if lookup('ansible.builtin.pipe', 'sh {script}') else '' }}}}"
        command = [str(PROGRAMS / "ansible-playbook"), "-i", str(stage.inventory), "podnet.calico.deploy", *arguments]
        self.child = subprocess.Popen(
            [*command, "-e", json.dumps({variable: held})],
            env=stage.environment() | {"TASK_RESULTS": str(stage.lab.files / "held.jsonl")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        self.output = self.child.stdout.read()

    def until_it_stands(self) -> None:
        while not self.here.exists():
            assert self.child.poll() is None, self.output
            time.sleep(0.1)

    def end(self) -> tuple[int, str]:
        """Let it go, and return its exit status and what it said."""
        self.go.touch()
        self.reader.join()
        return self.child.wait(), " ".join(self.output.split())


def blocks(stage: Stage) -> dict[str, list[str]]:
    return {name: re.findall(r"blackhole (\S+)", stage.ask(name, "ip route")) for name in stage.names}


def pool(encapsulation: str) -> tuple[str, str]:
    pools = [{"name": "default-ipv4-ippool", "cidr": "10.244.0.0/24", "encapsulation": encapsulation}]
    return "-e", json.dumps({"calico_ip_pools": pools})


def deploy_each_by_itself(stage: Stage) -> dict[str, tuple[int, str]]:
    """Run a deployment for each node alone, all at the same time; return status and output by node."""
    command = [PROGRAMS / "ansible-playbook", "-i", stage.inventory, "podnet.calico.deploy", *pool("VXLAN")]
    runs = {
        name: subprocess.Popen(
            [*command, "--limit", name],
            env=stage.environment() | {"TASK_RESULTS": str(stage.lab.files / f"{name}.jsonl")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in stage.names
    }
    said = {name: " ".join(run.communicate()[0].split()) for name, run in runs.items()}
    return {name: (runs[name].returncode, text) for name, text in said.items()}


def claimed(stage: Stage) -> dict[str, list[str]]:
    """Return the blocks of each node in the datastore."""
    found = stage.module("node1", "calico_resource_info", kind="IPAMBlock")["resources"]
    owned = [(block["spec"]["affinity"].partition(":")[2], block["spec"]["cidr"]) for block in found]
    return {name: sorted(cidr for owner, cidr in owned if owner == name) for name in stage.names}


def of_runtime(stage: Stage) -> dict[str, list[str]]:
    """Return the ranges of which the container runtime of each node gives addresses."""
    files = {name: stage.root(name) / "etc/cni/net.d/10-podnet-calico.conflist" for name in stage.names}
    ranges = {name: json.loads(file.read_text())["plugins"][0]["ipam"]["ranges"] for name, file in files.items()}
    return {name: sorted({part["subnet"] for group in groups for part in group}) for name, groups in ranges.items()}


@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS_AT_NIGHT, marks=pytest.mark.nightly)])
def test_nodes_that_are_deployed_at_the_same_time_never_get_one_block(stage: Stage, rounds: int) -> None:
    """In a pool of four blocks; a run says so whose plan lacks what another has added."""
    for __ in range(rounds):
        stage.fresh(3)
        runs = deploy_each_by_itself(stage)
        assert all(status == 0 or VOID in said for status, said in runs.values()), runs
        found = blocks(stage)
        assert [len(each) for each in found.values()] == [1, 1, 1]
        assert len({block for (block,) in found.values()}) == 3
        assert found == claimed(stage) == of_runtime(stage)
    stage.succeed("deploy", *pool("VXLAN"))
    __, report = audit(stage, *pool("VXLAN"))
    assert report["clean"], report["lines"]


def test_of_two_modes_one_is_refused(stage: Stage) -> None:
    stage.fresh(3)
    one = Held(stage, WHEN_ROUTES_HAVE_CHANGED, *pool("VXLAN"))
    one.until_it_stands()
    stage.succeed("deploy", *pool("None"))
    status, said = one.end()
    assert status != 0
    assert VOID in said
    stage.succeed("deploy", *pool("None"))
    __, report = audit(stage, *pool("None"))
    assert report["clean"]
