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

PENDING, UNIT = "/etc/podnet-calico/.pending", "/etc/systemd/system/podnet-calico.service"
PRESENT: Result = {"tunnels": [], "routes": [{"destination": "10.244.0.0/26", "type": "blackhole"}]}
ABSENT: Result = {"state": "absent"}
LAB = Path(__file__).parents[1] / "lab" / "systemctl" / "systemctl.py"
# The systemctl of lab nodes; it writes down what it is told, and kills who tells it to do what is written in `deadly`.
SYSTEMCTL = f"""#!/bin/sh
case $1 in is-*) ;; *) echo "$1" >>/etc/told ;; esac
[ "$1" = "$(cat /etc/deadly 2>/dev/null)" ] && kill -9 $PPID && exit
exec /usr/bin/python3 {LAB} "$@"
"""
# A NetworkManager that writes down which files it finds when it reads its configuration.
NETWORK_MANAGER = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecReload=/bin/sh -c "ls /etc/NetworkManager/conf.d >/etc/network-manager-has-read"
"""


class Node:
    """A host on which the module runs."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.etc = path / "etc"
        self._binds = {"/etc": str(self.etc), "/run": str(path / "run"), "/usr/local/sbin": str(path / "sbin")}
        self._run = lambda params, check: modules.run(
            host.path, "calico_persist", params, check=check, binds=self._binds
        )
        for folder in ("etc/alternatives", "etc/systemd/system", "run", "sbin"):
            (path / folder).mkdir(parents=True)
        (self.etc / "alternatives" / "awk").symlink_to(Path(shutil.which("awk") or "").resolve())
        (path / "sbin" / "systemctl").write_text(SYSTEMCTL)
        (path / "sbin" / "systemctl").chmod(0o755)

    def run(self, params: Result) -> tuple[list[str], list[str]]:
        """Run the module, as check mode predicts it; return its changes and what services were told."""
        predicted = self._run(params, True)
        (self.etc / "told").write_text("")
        done = self._run(params, False)
        assert not done.get("failed"), done
        assert done["diff"] == predicted["diff"]
        return [f"{each['action']} {each['name']}" for each in done["changes"]], self.told()

    def die(self, params: Result, verb: str) -> None:
        """Run the module, which is killed when it tells systemd something."""
        (self.etc / "deadly").write_text(verb)
        with pytest.raises(AssertionError):
            self._run(params, False)
        (self.etc / "deadly").unlink()

    def start_network_manager(self) -> None:
        """Have a NetworkManager that runs."""
        (self.etc / "systemd" / "system" / "NetworkManager.service").write_text(NETWORK_MANAGER)
        units = self.etc.parent / "run" / "lab" / "units"
        units.mkdir(parents=True, exist_ok=True)
        (units / "NetworkManager.service.exited").touch()

    def told(self) -> list[str]:
        """Return what systemctl was told to do."""
        return (self.etc / "told").read_text().split()

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
    node.start_network_manager()
    has_read = node.etc / "network-manager-has-read"
    ours = "/etc/NetworkManager/conf.d/podnet-calico.conf"
    assert node.run(PRESENT) == ([f"create {ours}"], ["reload"])
    assert has_read.read_text() == "podnet-calico.conf\n"
    assert node.run(PRESENT) == ([], [])
    assert node.run(ABSENT)[1] == ["stop", "disable", "daemon-reload", "reload"]
    assert has_read.read_text() == ""
