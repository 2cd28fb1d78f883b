# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_bird and BIRD's unit, on a host with an /etc, a /run and a service manager of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.unit import TEXT
from ansible_collections.podnet.calico.tests.kernel.birds import CONFIG, NODES, changed, planned
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.services import Services
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

PRESENT, ABSENT = planned()["node1"], {"state": "absent"}
CHANGED = changed(PRESENT, lambda bgp: bgp["families"][0]["blocks"].append("10.244.255.0/26"))
STARTED = ["daemon-reload", "enable", "start"]
STOPPED = ["stop", "disable", "daemon-reload"]


class Node:
    """A host whose systemctl starts BIRD."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.etc, self.run = path / "etc", path / "run"
        for folder in ("etc/bird", "etc/systemd/system", "run/bird"):
            (path / folder).mkdir(parents=True)
        shutil.copytree("/etc/iproute2", self.etc / "iproute2")
        for name in ("passwd", "group", "bird/envvars"):
            shutil.copy(f"/etc/{name}", self.etc / name)
        for folder in (self.etc / "bird", self.run / "bird"):
            shutil.chown(folder, "bird", "bird")
        self.drop_in = self.etc / "systemd" / "system" / "bird.service.d" / CONFIG
        self.services = Services(path)
        self._modules, self._netns = modules, host.path
        self._binds = {"/etc": str(self.etc), "/run": str(self.run), **self.services.binds}

    def module(self, params: Result, name: str = "calico_bird", *, check: bool = False) -> Result:
        return self._modules.run(self._netns, name, params, check=check, binds=self._binds)

    def apply(self, params: Result) -> list[str]:
        """Run calico_bird as check mode predicts it; return what systemctl was told."""
        predicted = self.module(params, check=True)
        self.services.told()
        done = self.module(params)
        assert not done.get("failed"), done["msg"]
        assert done == predicted
        told = self.services.told()
        assert self.module(params, check=True)["changed"] is False
        return told

    def refuses(self, params: Result) -> str:
        """Return why calico_bird fails, in check mode as well, with nothing changed."""
        failures = [self.module(params, check=check) for check in (True, False)]
        assert [failed["failure"]["kind"] for failed in failures] == ["Conflict"] * 2
        assert self.services.told() == []
        assert not (self.etc / "bird" / CONFIG).exists()
        return str(failures[1]["msg"])

    def die(self, params: Result, verb: str) -> None:
        """Run calico_bird, which is killed when it tells systemd something."""
        (self.etc / "deadly").write_text(verb)
        with pytest.raises(AssertionError):
            self.module(params)
        (self.etc / "deadly").unlink()
        self.services.told()

    def bird(self) -> int:
        """Return the process of BIRD; 0 if systemd has started none."""
        file = self.run / "lab" / "units" / "bird.service.pid"
        return int(file.read_text().split()[0]) if file.exists() else 0

    def kill(self) -> None:
        """End BIRD as a crash does."""
        process = self.bird()
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            wait_for(lambda: not Path(f"/proc/{process}/exe").exists())

    def version(self) -> str:
        """Return the version of the BIRD that runs."""
        return str(self.module({}, "calico_bird_info")["version"])

    def files(self) -> list[str]:
        """Return what there is of ours."""
        return sorted(path.name for path in self.etc.rglob("podnet-calico*"))


@pytest.fixture
def node(modules: Modules, host: Namespace, tmp_path: Path) -> t.Iterator[Node]:
    """Return a host that has the package of BIRD, which does not run."""
    made = Node(modules, host, tmp_path)
    yield made
    made.kill()


def test_bird_is_started_with_our_configuration_and_stopped(node: Node) -> None:
    assert node.apply(PRESENT) == STARTED
    assert node.drop_in.read_text() == TEXT
    wait_for(node.version)
    assert node.apply(PRESENT) == []
    assert node.apply(ABSENT) == STOPPED
    assert (node.bird(), node.version(), node.files()) == (0, "", [])
    assert node.apply(ABSENT) == []


def test_a_bird_that_runs_is_not_restarted(node: Node) -> None:
    node.apply(PRESENT)
    wait_for(node.version)
    process = node.bird()
    assert node.apply(CHANGED) == []
    node.drop_in.write_text(TEXT + "# by hand\n")
    assert node.apply(CHANGED) == ["daemon-reload"]
    assert (node.bird(), node.drop_in.read_text()) == (process, TEXT)
    node.kill()
    assert node.apply(CHANGED) == ["start"]
    assert node.bird() != process


def test_a_bird_that_does_not_run_is_ours_by_its_drop_in(node: Node) -> None:
    node.apply(PRESENT)
    wait_for(node.version)
    node.kill()
    assert node.apply(ABSENT) == STOPPED[1:]
    assert node.files() == []


@pytest.mark.parametrize("verb", ["daemon-reload", "enable", "start"])
def test_the_next_run_ends_what_a_killed_one_began(node: Node, verb: str) -> None:
    node.die(PRESENT, verb)
    assert "start" in node.apply(PRESENT)
    wait_for(node.version)


@pytest.mark.parametrize("verb", STOPPED)
def test_the_next_run_removes_what_a_killed_one_left(node: Node, verb: str) -> None:
    node.apply(PRESENT)
    wait_for(node.version)
    node.die(ABSENT, verb)
    node.apply(ABSENT)
    enabled = list(node.etc.rglob("*.wants/bird.service"))
    assert (node.version(), node.files(), enabled) == ("", [], [])


@pytest.mark.parametrize("params", [PRESENT, ABSENT], ids=["present", "absent"])
def test_a_drop_in_of_somebody_else_is_refused(node: Node, params: Result) -> None:
    node.drop_in.parent.mkdir()
    node.drop_in.write_text("[Service]\nNice=5\n")
    assert "a file is there that is not ours" in node.refuses(params)
    assert node.drop_in.read_text() == "[Service]\nNice=5\n"


def test_a_unit_that_cannot_be_started_is_refused(node: Node) -> None:
    assert "start brid.service: systemd says that it is not-found" in node.refuses({**PRESENT, "service": "brid"})
    (node.etc / "systemd" / "system" / "bird.service").symlink_to("/dev/null")
    assert "start bird.service: systemd says that it is masked" in node.refuses(PRESENT)
    assert node.files() == []


def audited(node: Node, bgp: str) -> set[tuple[str, str, str]]:
    """Return what an audit finds of BIRD's unit and our drop-in."""
    plan = plans(cluster(pool(encapsulation="None" if bgp == "enabled" else "VXLAN"), nodes=NODES), NODES, bgp=bgp)[
        "node1"
    ]
    found = node.module({"plan": plan}, "calico_audit")["findings"]
    return {(each["category"], each["kind"], each["name"]) for each in found if "bird.service" in each["name"]}


def test_an_audit_finds_what_differs_in_the_unit(node: Node) -> None:
    drop_in = "/etc/systemd/system/bird.service.d/podnet-calico.conf"
    assert audited(node, "disabled") == set()
    node.apply(PRESENT)
    wait_for(node.version)
    assert audited(node, "enabled") == set()
    assert audited(node, "disabled") == {("stale", "file", drop_in), ("wrong", "service", "bird.service")}
    node.drop_in.unlink()
    node.kill()
    assert audited(node, "enabled") == {("missing", "file", drop_in), ("wrong", "service", "bird.service")}
