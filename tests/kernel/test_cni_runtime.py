# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_cni_runtime with an /etc of its own and units of the lab's systemctl.

Debian has no CRI-O: a script that runs for ever stands for it. Podman's and containerd's real programs are used where
tests/tools/container_runtimes.py has fetched them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "tools"))

import container_runtimes

CRIO = "/etc/crio/crio.conf.d/50-podnet-calico.conf"
PODMAN = "/etc/containers/containers.conf.d/50-podnet-calico.conf"
SYSTEMCTL = f'#!/bin/sh\nexec /usr/bin/python3 {TESTS}/lab/systemctl/systemctl.py "$@"\n'
# Refuses to start with a file that is written in `refused`, and without one that is written in `needs`.
DAEMON = """#!/bin/sh
[ "$1" = --version ] && echo crio version 1.30.0 && exit
[ -e "$(cat /etc/refused 2>/dev/null)" ] && echo "wrong settings" && exit 1
[ -e /etc/needs ] && [ ! -e "$(cat /etc/needs)" ] && echo "needs a file" && exit 1
exec sleep 100000
"""
UNIT = "[Service]\nExecStart=/usr/local/sbin/crio\n"
FOLDERS = {"bin_dir": "/opt/cni/bin", "config_dir": "/etc/cni/net.d"}


class Host:
    """A host on which the module runs; its programs are those in sbin."""

    def __init__(self, modules: Modules, host: Namespace, path: Path) -> None:
        self.path = path
        self._binds = {"/etc": str(path / "etc"), "/run": str(path / "run"), "/usr/local/sbin": str(path / "sbin")}
        self._run = lambda params, check: modules.run(
            host.path, "calico_cni_runtime", params, check=check, binds=self._binds
        )
        for folder in ("etc/systemd/system", "run", "sbin"):
            (path / folder).mkdir(parents=True)
        self.program("systemctl", SYSTEMCTL)

    def program(self, name: str, text: str) -> None:
        """Put a script where programs are looked for."""
        place = self.path / "sbin" / name
        place.write_text(text)
        place.chmod(0o755)

    def file(self, path: str) -> Path:
        """Return a file of the host."""
        return self.path / path[1:]

    def write(self, path: str, text: str) -> None:
        """Write a file of the host."""
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)

    def run(self, runtime: str, **options: t.Any) -> list[str]:
        """Run the module, as check mode predicts it; return its changes, of which the second run makes none."""
        params = {"runtime": runtime, **FOLDERS, **options}
        predicted, done = self._run(params, True), self._run(params, False)
        assert not done.get("failed"), done
        assert done["diff"] == predicted["diff"]
        assert self._run(params, False)["changes"] == []
        return [f"{each['action']} {each['name']}" for each in done["changes"]]

    def absent(self, **options: t.Any) -> list[str]:
        """Remove what is ours; return the changes."""
        params = {"state": "absent", **options}
        predicted, done = self._run(params, True), self._run(params, False)
        assert not done.get("failed"), done
        assert done["diff"] == predicted["diff"]
        return [f"{each['action']} {each['name']}" for each in done["changes"]]

    def refused(self, runtime: str, **options: t.Any) -> str:
        """Run the module, which refuses, in check mode as well; return what it says. Files are as before."""
        before = self._files()
        params = {"runtime": runtime, **FOLDERS, **options}
        answers = [self._run(params, check) for check in (True, False)]
        assert [answer.get("failed") for answer in answers] == [True, True]
        assert len({re.sub(r"time=\S+", "", str(answer["msg"])) for answer in answers}) == 1
        assert self._files() == before
        return str(answers[0]["msg"])

    def fails(self, runtime: str, **options: t.Any) -> str:
        """Run the module, which fails; return what it says."""
        answer: Result = self._run({"runtime": runtime, **FOLDERS, **options}, False)
        assert answer.get("failed"), answer
        return str(answer["msg"])

    def _files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (self.path / "etc").rglob("*") if path.is_file()}

    def systemctl(self, *words: str) -> None:
        """Tell the host's systemctl something."""
        binds = " && ".join(f"mount --bind {source} {target}" for target, source in self._binds.items())
        command = f"{binds} && systemctl {' '.join(words)}"
        subprocess.run(["unshare", "--mount", "sh", "-c", command], check=True)

    def process(self, unit: str = "crio") -> int:
        """Return the process of CRI-O, 0 if it was never started."""
        record = self.path / "run" / "lab" / "units" / f"{unit}.service.pid"
        return int(record.read_text().split()[0]) if record.exists() else 0

    def end(self) -> None:
        """Kill CRI-O, of either unit."""
        for process in filter(None, map(self.process, ("crio", "my-crio"))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@pytest.fixture
def node(modules: Modules, host: Namespace, tmp_path: Path) -> t.Iterator[Host]:
    """Return a host without runtimes."""
    found = Host(modules, host, tmp_path)
    yield found
    found.end()


@pytest.fixture
def crio(node: Host) -> Host:
    """Return a host on which CRI-O runs."""
    node.program("crio", DAEMON)
    node.write("/etc/systemd/system/crio.service", UNIT)
    node.write("/etc/crio/crio.conf", "[crio.network]\n")
    node.systemctl("start", "crio")
    return node


@pytest.mark.parametrize("runtime", ["containerd", "crio", "podman"])
def test_a_runtime_that_is_not_there(node: Host, runtime: str) -> None:
    if shutil.which(runtime):
        pytest.skip(f"{runtime} is installed on this machine")
    said = node.refused(runtime)
    assert f"there is no program {runtime}" in said
    assert "cni_runtime" in said


def test_crio_is_restarted_once(crio: Host) -> None:
    first = crio.process()
    assert crio.run("crio") == [f"create {CRIO}", "replace crio.service"]
    second = crio.process()
    assert second not in (0, first)
    assert crio.run("crio", bin_dir="/usr/lib/cni") == [f"replace {CRIO}", "replace crio.service"]
    assert crio.absent() == [f"delete {CRIO}", "replace crio.service"]
    assert not crio.file(CRIO).exists()
    assert crio.absent() == []


def test_crio_that_does_not_run_is_not_started(node: Host) -> None:
    node.program("crio", DAEMON)
    node.write("/etc/systemd/system/crio.service", UNIT)
    assert node.run("crio") == [f"create {CRIO}"]
    assert node.process() == 0
    assert node.absent() == [f"delete {CRIO}"]


def test_crio_that_does_not_start_again(crio: Host) -> None:
    crio.write("/etc/refused", CRIO)
    said = crio.fails("crio")
    assert "wrong settings" in said
    assert f"{CRIO} is as before" in said
    assert not crio.file(CRIO).exists()
    crio.write("/etc/refused", "/none")
    crio.systemctl("is-active", "crio")


def test_crio_that_was_not_told_by_a_run_that_was_killed(crio: Host) -> None:
    crio.run("crio")
    before = crio.process()
    os.utime(crio.file(CRIO))  # now it is younger than the process
    assert crio._run({"runtime": "crio", **FOLDERS}, False)["changes"] == [
        {"action": "replace", "kind": "service", "name": "crio.service"}
    ]
    assert crio.process() != before


def test_crio_with_a_unit_of_another_name(node: Host) -> None:
    node.program("crio", DAEMON)
    node.write("/etc/systemd/system/my-crio.service", UNIT)
    node.systemctl("start", "my-crio")
    assert node.run("crio", service="my-crio") == [f"create {CRIO}", "replace my-crio.service"]
    told = node.process("my-crio")
    node.write(PODMAN, node.file(CRIO).read_text())  # which has no part in that unit
    assert node.absent(runtime="crio", service="my-crio") == [
        f"delete {CRIO}",
        "replace my-crio.service",
        f"delete {PODMAN}",
    ]
    assert node.process("my-crio") not in (0, told)


def test_crio_that_does_not_start_again_without_our_file(crio: Host) -> None:
    crio.run("crio")
    text = crio.file(CRIO).read_text()
    crio.write("/etc/needs", CRIO)
    for __ in range(2):  # the second run tries again
        said = crio.fails("crio", state="absent")
        assert "needs a file" in said
        assert f"{CRIO} is as before" in said
        assert crio.file(CRIO).read_text() == text
        crio.systemctl("is-active", "crio")
    crio.file("/etc/needs").unlink()
    assert crio.absent(runtime="crio") == [f"delete {CRIO}", "replace crio.service"]


def test_crio_with_another_network(crio: Host) -> None:
    crio.write("/etc/crio/crio.conf", '[crio.network]\ncni_default_network = "other"\n')
    assert "cni_default_network in /etc/crio/crio.conf is other" in crio.refused("crio")
    assert crio.run("crio", network="other") == [f"create {CRIO}", "replace crio.service"]


def test_a_file_of_somebody_else(crio: Host) -> None:
    crio.write(CRIO, "[crio.network]\n")
    assert f"write {CRIO}: a file is there that is not ours" in crio.refused("crio")


def _real(node: Host, name: str, program: str) -> None:
    """Have a real program on the host."""
    try:
        tree = container_runtimes.tree(name)
    except container_runtimes.Unavailable as error:
        pytest.skip(str(error))
    libraries = ":".join(str(path) for path in tree.glob("*lib/*-linux-gnu*")) + ":" + str(tree / "usr/lib")
    libraries += "".join(f":{path}" for path in tree.glob("usr/lib/*-linux-gnu*"))
    node.program(program, f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {tree}/usr/bin/{program} "$@"\n')


def test_podman(node: Host) -> None:
    _real(node, "podman", "podman")
    assert node.run("podman") == [f"create {PODMAN}"]
    text = node.file(PODMAN).read_text()
    assert 'network_backend = "cni"' in text
    assert 'cni_plugin_dirs = ["/opt/cni/bin", ' in text
    assert node.run("podman", config_dir="/etc/other") == [f"replace {PODMAN}"]
    node.write(f"{Path(PODMAN).parent}/99-mine.conf", '[network]\nnetwork_backend = "netavark"\n')
    assert "99-mine.conf comes after it and has another network_backend" in node.refused("podman")
    assert node.absent() == [f"delete {PODMAN}"]
    assert node.file(f"{Path(PODMAN).parent}/99-mine.conf").exists()


def test_podman_without_cni(node: Host) -> None:
    node.program("podman", "#!/bin/sh\necho podman version 5.8.6\n")
    assert "Podman has no CNI from version 5 on" in node.refused("podman")


@pytest.mark.parametrize(
    ("name", "table", "plugins"),
    [
        ("containerd", "io.containerd.grpc.v1.cri", "bin_dir = '/opt/cni/bin'"),
        ("containerd2", "io.containerd.cri.v1.runtime", "bin_dirs = ['/opt/cni/bin']"),
    ],
)
def test_containerd(node: Host, name: str, table: str, plugins: str) -> None:
    _real(node, name, "containerd")
    config = "/etc/containerd/config.toml"
    version = "version = 2\n" if name == "containerd" else "version = 3\n"
    node.write(config, f"{version}[plugins.'{table}'.cni]\n  {plugins}\n")
    assert node.run("containerd") == []
    said = node.refused("containerd", bin_dir="/usr/lib/cni")
    assert f"Have this in {config} and restart containerd" in said
    lines = said.partition("as it has:\n")[2]
    node.write(config, version + lines)
    assert node.run("containerd", bin_dir="/usr/lib/cni") == [], "it is enough to do as it says"
    node.write(config, 'disabled_plugins = ["cri"]\n')
    assert "its CRI is switched off" in node.refused("containerd")
    node.write(config, "version = [")
    assert "read the settings of containerd" in node.refused("containerd")
    node.file(config).unlink()
    if name == "containerd":
        assert node.run("containerd") == [], "its default is /opt/cni/bin"
    else:  # Debian's has /usr/lib/cni before it, and there are plugins
        assert "before those of /opt/cni/bin" in node.refused("containerd")
    assert node.absent() == []
