# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_persist with an /etc of its own, when it is killed between its files and the services."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.services import Services

PENDING, UNIT = "/etc/podnet-calico/.pending", "/etc/systemd/system/podnet-calico.service"
PRESENT: Result = {"tunnels": [], "routes": [{"destination": "10.244.0.0/26", "type": "blackhole"}]}
ABSENT: Result = {"state": "absent"}


class Node:
    """A host on which the module runs."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.etc = path / "etc"
        for folder in ("etc/alternatives", "etc/systemd/system", "run"):
            (path / folder).mkdir(parents=True)
        self.services = Services(path)
        binds = {"/etc": str(self.etc), "/run": str(path / "run"), **self.services.binds}
        self._run = lambda params, check: modules.run(host.path, "calico_persist", params, check=check, binds=binds)
        (self.etc / "alternatives" / "awk").symlink_to(Path(shutil.which("awk") or "").resolve())

    def run(self, params: Result) -> tuple[list[str], list[str]]:
        """Run the module, as check mode predicts it; return its changes and what services were told."""
        predicted = self._run(params, True)
        self.services.told()
        done = self._run(params, False)
        assert not done.get("failed"), done
        assert done["diff"] == predicted["diff"]
        return [f"{each['action']} {each['name']}" for each in done["changes"]], self.services.told()

    def die(self, params: Result, verb: str) -> None:
        """Run the module, which is killed when it tells systemd something."""
        (self.etc / "deadly").write_text(verb)
        with pytest.raises(AssertionError):
            self._run(params, False)
        (self.etc / "deadly").unlink()

    def files(self) -> list[str]:
        """Return what there is of ours."""
        return sorted(path.name for path in self.etc.rglob("*") if "podnet" in str(path.relative_to(self.etc)))


@pytest.fixture
def node(modules: Modules, host: Namespace, tmp_path: Path) -> t.Iterator[Node]:
    """Return a host that is deployed."""
    node = Node(modules, host, tmp_path)
    assert node.run(PRESENT)[1] == ["daemon-reload", "enable", "restart"]
    assert node.run(PRESENT) == ([], [])
    assert ".pending" not in node.files()
    yield node
    node.run(ABSENT)
    assert node.files() == []


def test_services_are_told_by_the_next_run(node: Node, host: Namespace) -> None:
    unit = node.etc / Path(UNIT).relative_to("/etc")
    unit.write_text(f"{unit.read_text()}# by hand\n")
    node.die(PRESENT, "daemon-reload")
    assert "by hand" not in unit.read_text()
    host.ip("route del 10.244.0.0/26")
    assert node.run(PRESENT) == ([f"delete {PENDING}"], ["daemon-reload", "enable", "restart"])
    assert "10.244.0.0/26" in host.routes()
    assert node.run(PRESENT) == ([], [])


@pytest.mark.parametrize("verb", ["disable", "daemon-reload"])
def test_a_removal_is_finished_by_the_next(node: Node, verb: str) -> None:
    node.die(ABSENT, verb)
    changes, told = node.run(ABSENT)
    assert f"delete {PENDING}" in changes
    assert told[-1] == "daemon-reload"
    assert node.files() == []
    assert node.run(ABSENT) == ([], [])


def test_a_network_manager_that_runs_reads_our_file_and_its_removal(node: Node) -> None:
    node.services.start_network_manager()
    ours = "/etc/NetworkManager/conf.d/podnet-calico.conf"
    assert node.run(PRESENT) == ([f"create {ours}"], ["reload"])
    assert node.services.network_manager_has_read() == ["podnet-calico.conf"]
    assert node.run(PRESENT) == ([], [])
    assert node.run(ABSENT)[1] == ["stop", "disable", "daemon-reload", "reload"]
    assert node.services.network_manager_has_read() == []
