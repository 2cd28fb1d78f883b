# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces as the tests see them: through iproute2, not through the code under test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import typing as t
import uuid
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

HERE = Path(__file__).parent
COLLECTIONS = HERE.parents[1] / ".cache" / "collections"
MODULE_SERVER = HERE / "module_server.py"

Result = t.Dict[str, t.Any]


def unique(word: str) -> str:
    """Return a name for a namespace that nobody else on this machine uses."""
    return f"{word}-{uuid.uuid4().hex[:12]}"


class Namespace:
    """A network namespace; commands are strings, split at blanks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"/run/netns/{name}"

    @classmethod
    @contextlib.contextmanager
    def made(cls, word: str) -> t.Iterator[Namespace]:
        """Make a namespace with its loopback up, named by a word and what nobody else has, and remove it afterwards."""
        namespace = cls(unique(word))
        subprocess.run(["ip", "netns", "add", namespace.name], check=True)
        try:
            namespace.ip("link set lo up")
            yield namespace
        finally:
            subprocess.run(["ip", "netns", "del", namespace.name], check=True)

    def run(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program inside."""
        return subprocess.run(
            ["nsenter", f"--net={self.path}", *command.split()], capture_output=True, text=True, check=check
        )

    def ip(self, command: str) -> None:
        """Run `ip` inside."""
        done = self.run(f"ip {command}", check=False)
        assert done.returncode == 0, f"ip {command}: {done.stderr}"

    def batch(self, *commands: str) -> None:
        """Run several commands of `ip` inside, by one process."""
        lines = "\n".join(commands)
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input=lines, text=True, check=True)

    def show(self, command: str) -> list[Result]:
        """Return what `ip` shows, as data."""
        text = self.run(f"ip -j -d {command}").stdout
        return t.cast("list[Result]", json.loads(text or "[]"))

    def fdb(self, device: str) -> dict[str, str]:
        """Return the forwarding entries of a VXLAN device: MAC to underlay address."""
        entries = json.loads(self.run(f"bridge -j fdb show dev {device}").stdout)
        return {entry["mac"]: entry["dst"] for entry in entries if "dst" in entry}

    def routes(self, selection: str = "proto 98", version: int = 4) -> dict[str, Result]:
        """Return routes of all tables by destination."""
        shown = self.show(f"-{version} route show table all {selection}")
        return {route["dst"]: route for route in shown}

    def link(self, name: str) -> Result:
        """Return one link."""
        return self.show(f"link show {name}")[0]

    def refused(self, counter: str) -> int:
        """Return how often the kernel here has dropped packets of TCP for a reason, as /proc/net/netstat has it."""
        names, values = self.run("cat /proc/net/netstat").stdout.splitlines()[:2]
        return int(dict(zip(names.split(), values.split()))[counter])

    def reach(self, address: str) -> None:
        """Wait for the answer to a ping; the first may be lost while neighbours look for each other."""
        ping = f"ping -c 1 -W 1 {address}"
        wait_for(lambda: self.run(ping, check=False).returncode == 0, f"an answer of {address}")

    def sysctl(self, name: str) -> str:
        """Return the value of a sysctl given by path below /proc/sys."""
        return self.run(f"cat /proc/sys/{name}").stdout.strip()

    def state(self) -> str:
        """Return all that a module may change here, to compare before and after."""
        commands = ("link", "addr", "-4 route show table all", "-6 route show table all", "neigh show nud permanent")
        return "\n".join(json.dumps(_lasting(self.show(command)), sort_keys=True) for command in commands)


def _lasting(rows: list[Result]) -> list[Result]:
    """Leave out what changes by itself."""
    passing = ("operstate", "used", "state", "flags", "expires", "valid_life_time", "preferred_life_time", "tentative")
    own = [row for row in rows if row.get("protocol") != "kernel"]
    lasting: list[Result] = [{key: value for key, value in row.items() if key not in passing} for row in own]
    for row in lasting:
        if "addr_info" in row:
            given = [info for info in row["addr_info"] if not info["local"].startswith("fe80:")]
            row["addr_info"] = _lasting(given)  # the kernel makes link-local ones a while after a device is up
    return lasting


class Modules:
    """Modules of the collection, run by one Python; pyroute2: the file that it imports by that name."""

    def __init__(self, python: str, site: Path | None, *preloaded: str) -> None:
        path = str(COLLECTIONS) + (f":{site}" if site else "")
        self._folder = tempfile.TemporaryDirectory()  # what modules leave to the end of their process stays in there
        self._server = subprocess.Popen(
            [python, str(MODULE_SERVER), *preloaded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONPATH": path,
                "LC_ALL": "C.UTF-8",
                "TMPDIR": self._folder.name,
            },
        )
        self.pyroute2 = str(json.loads(self._read())["pyroute2"])

    def _read(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()

    def run(
        self,
        netns: str | None,
        name: str,
        params: Result,
        *,
        check: bool = False,
        diff: bool = True,
        binds: dict[str, str] | None = None,
    ) -> Result:
        """Run a module inside a namespace and return its result; a crash is an assertion with its traceback."""
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": diff}
        request = {"module": name, "arguments": arguments, "netns": netns, "binds": binds or {}}
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        output = str(json.loads(self._read()))
        last = output.strip().splitlines()[-1] if output.strip() else ""
        assert last.startswith("{"), output
        return t.cast("Result", json.loads(last))

    def close(self) -> None:
        """End the server."""
        self._server.communicate()
        self._folder.cleanup()


DEBIAN = "/usr/bin/python3"
NONE, OF_DEBIAN, OF_VENV = "no-pyroute2", "pyroute2-debian", "pyroute2-venv"
USERS = tuple(f"ansible_collections.podnet.calico.plugins.module_utils.kernel.{name}" for name in ("host", "library"))
_REFUSED = """raise RuntimeError("this imports pyroute2: mark the test with both_pyroute2s or with_pyroute2")\n"""


def start_modules(pyroute2: str, directory: Path) -> Modules:
    """Return the modules with one line of pyroute2, or with NONE, where an import of it fails.

    directory: an empty one, for what Debian's Python imports beside its own packages: the virtual environment's
    ansible, and what stands in the way of pyroute2.
    """
    if pyroute2 == OF_VENV:
        return Modules(sys.executable, None, *USERS)
    import ansible

    (directory / "ansible").symlink_to(Path(str(ansible.__file__)).parent)
    if pyroute2 == OF_DEBIAN:
        return Modules(DEBIAN, directory, *USERS)
    (directory / "pyroute2.py").write_text(_REFUSED)
    return Modules(DEBIAN, directory)


# For tests of code that imports pyroute2, and for those that need such code for something else. All others run without.
both_pyroute2s = pytest.mark.parametrize("modules", [OF_DEBIAN, OF_VENV], indirect=True)
with_pyroute2 = pytest.mark.parametrize("modules", [OF_DEBIAN], indirect=True)
