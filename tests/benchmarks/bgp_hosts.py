# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts for the packets lost: a node with /etc/bird, /run and BIRD's unit of its own, and the modules run on it."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.bird.unit import TEXT
from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import inside
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS

OFFLINE = engine.ROOT / "tests" / "lab" / "offline"  # its systemctl
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
PATIENCE = 60.0  # seconds
# The console, because a BIRD without syslog writes there, slowly.
_BOUND = """
    mount --bind "$1" /etc/bird
    mount --bind "$2" /run
    mount --bind /dev/null /dev/console
    for program in bird birdc; do
        mount --bind "$3/$program" "/usr/sbin/$program"
    done
    mount --bind "$4" /etc/systemd/system
    mount --bind "$5" /usr/local/sbin
    shift 5
    exec "$@"
"""
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": str(engine.COLLECTIONS),
    "LC_ALL": "C.UTF-8",
}

Result = t.Dict[str, t.Any]


class Host:
    """A node whose namespace is there; leaving it ends its BIRD. programs: the directory of its `bird` and `birdc`."""

    def __init__(self, name: str, directory: Path, programs: Path) -> None:
        self.name, self._programs = name, programs
        self._files = directory / name
        self._bird: subprocess.Popen[bytes] | None = None
        (self._files / "etc").mkdir(parents=True)
        (self._files / "units").mkdir()
        (self._files / "run" / "bird").mkdir(parents=True)
        shutil.chown(self._files / "run" / "bird", "bird", "bird")
        with inside(str(NETNS / name)):
            FORWARDING.write_text("1", encoding="ascii")

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *__: object) -> None:
        if self._bird is not None:
            self._bird.kill()
            self._bird.wait()

    def _started(self, command: t.Sequence[str], **options: t.Any) -> subprocess.Popen[bytes]:
        """Start a program on the host, which sees its own files."""
        own = [self._files / "etc", self._files / "run", self._programs, self._files / "units", OFFLINE]
        entered = ["nsenter", f"--net={NETNS / self.name}", "unshare", "-m", "sh", "-ec", _BOUND, "sh", *map(str, own)]
        return subprocess.Popen([*entered, *command], env=_ENVIRONMENT, **options)

    def run(self, command: t.Sequence[str]) -> str:
        """Run a program to its end and return its output; raises MeasuringFailed."""
        process = self._started(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.communicate()[0].decode(errors="replace")
        if process.returncode:
            raise MeasuringFailed(f"{' '.join(command)} on {self.name}: {output[-1000:]}")
        return output

    def module(self, name: str, params: Result) -> subprocess.Popen[bytes]:
        """Start a module with its arguments; outcome waits for it."""
        process = self._started(
            [sys.executable, "-m", f"{engine.MODULES}.{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with t.cast("t.IO[bytes]", process.stdin) as stdin:
            stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode())
        process.stdin = None
        return process

    def start(self) -> None:
        """Start BIRD as its unit does, and wait until it can be asked."""
        self._bird = self._started(unit("ExecStart"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._until(lambda: "ready" in self._said())

    def _said(self) -> str:
        with contextlib.suppress(MeasuringFailed):
            return self.run(["birdc", "show", "status"])
        return ""

    def stop(self) -> None:
        """Stop BIRD as systemd does by its unit: the command, and SIGTERM for what runs then."""
        self.run(unit("ExecStop"))
        self.terminate()

    def terminate(self) -> None:
        """Stop BIRD by SIGTERM, as Debian's own unit does."""
        if self._bird is not None:
            self._bird.terminate()
            self._bird.wait(PATIENCE)
            self._bird = None

    def start_afresh(self) -> None:
        """Start BIRD without regard to routes in the kernel, as Debian's own unit does."""
        command = [word.replace("&& R=-R", "&& R=") for word in unit("ExecStart")]
        self._bird = self._started(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._until(lambda: "ready" in self._said())

    def wait_recovered(self) -> None:
        """Wait until a BIRD that was started with -R has heard from all peers."""
        self._until(lambda: "recovery in progress" not in self._said())

    def _until(self, condition: t.Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise MeasuringFailed(f"BIRD on {self.name}: {self._said() or 'it does not answer'}")
            time.sleep(0.1)


def unit(setting: str) -> list[str]:
    """Return a command of the drop-in that calico_bird gives to BIRD's unit."""
    lines = (line.partition("=") for line in TEXT.splitlines())
    return shlex.split([value for name, __, value in lines if name == setting][-1])


def everywhere(hosts: t.Iterable[Host], name: str, params: t.Mapping[str, Result]) -> dict[str, Result]:
    """Run a module on several hosts at once and return the results by host; raises MeasuringFailed for a failed one.

    params: by host; a host without is left out.
    """
    started = {host.name: host.module(name, params[host.name]) for host in hosts if host.name in params}
    return {host: outcome(process, f"{name} on {host}") for host, process in started.items()}


def outcome(process: subprocess.Popen[bytes], what: str) -> Result:
    """Wait for a module and return its result."""
    lines = process.communicate()[0].decode(errors="replace").strip().splitlines()
    result = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {"failed": True, "msg": "\n".join(lines)}
    if result.get("failed"):
        raise MeasuringFailed(f"{what}: {result.get('msg')}")
    return t.cast("Result", result)
