# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two deployments at the same time: the one whose plan has become void says so and ends."""

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
# Who asks for the value of one of these variables is held up: before anything is stored, when routes have changed.
BEFORE_IT_STORES = ("datastore_location", "{'path': '/etc/podnet-calico/datastore'}")
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


@pytest.fixture(autouse=True)
def fresh(stage: Stage) -> None:
    stage.fresh(3)


def test_two_parts_of_the_nodes_never_get_one_block(stage: Stage) -> None:
    one = Held(stage, BEFORE_IT_STORES, "--limit", "node1", *pool("VXLAN"))
    one.until_it_stands()
    stage.succeed("deploy", "--limit", "node3", *pool("VXLAN"))
    status, said = one.end()
    assert status != 0
    assert VOID in said
    assert [len(found) for found in blocks(stage).values()] == [0, 0, 1]
    stage.succeed("deploy", *pool("VXLAN"))
    assert len({block for (block,) in blocks(stage).values()}) == 3


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(BEFORE_IT_STORES, id="planned", marks=pytest.mark.nightly),
        pytest.param(WHEN_ROUTES_HAVE_CHANGED, id="half-way"),
    ],
)
def test_of_two_modes_one_is_refused(stage: Stage, place: tuple[str, str]) -> None:
    one = Held(stage, place, *pool("VXLAN"))
    one.until_it_stands()
    stage.succeed("deploy", *pool("None"))
    status, said = one.end()
    assert status != 0
    assert VOID in said
    stage.succeed("deploy", *pool("None"))
    __, report = audit(stage, *pool("None"))
    assert report["clean"]
