# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of apt and dpkg wait for who holds their locks, in a lab node, whose packages are its own. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import lifecycle
import nodes
import package_lock
import pytest
from settings import Lab, Shape

LAB: t.Final = Lab(f"boot{os.getpid()}")
HERE: t.Final = Path(__file__).resolve().parent
HOLD: t.Final = """\
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
# A child of the command, which is another process, does not get its lock.
ATTEMPT: t.Final = """\
import fcntl, os, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
if not os.fork():
    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.wait()
"""
# In the node, which may not write into the checkout.
BOOTSTRAP: t.Final = "/tmp/tests/lab/bootstrap.sh"  # noqa: S108
RECORD: t.Final = "/var/lib/podnet-lab/packages"
# Two packages that were noted, the second of which another one needs now, and one that was not noted.
PACKAGES: t.Final = {"lab-noted": "", "lab-needed": "", "lab-other": "lab-needed"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture(scope="module")
def node() -> t.Iterator[str]:
    """Have one node, and return its name."""
    try:
        with lifecycle.alone(LAB):
            lifecycle.up(LAB, Shape(1, "None"), lambda line: None)
        # By a pipe: the node has a /tmp of its own, and the checkout may be in the machine's.
        packed = subprocess.run(["tar", "-C", HERE.parent, "-c", HERE.name], capture_output=True, check=True).stdout
        inside("node1", "mkdir /tmp/tests; tar -C /tmp/tests -x", packed)
        yield "node1"
    finally:
        with lifecycle.alone(LAB):
            lifecycle.down(LAB)
        LAB.files.rmdir()


def inside(node: str, command: str, given: bytes = b"") -> str:
    """Return what a shell command prints inside the node, which reads what is given; it has to succeed."""
    answer = subprocess.run(
        nodes.enter(LAB, node, "/bin/sh", "-c", command),
        input=given,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout.decode()


@contextlib.contextmanager
def held(node: str, lock: str) -> t.Iterator[None]:
    """Hold a lock as apt does, by a process of its own in the node."""
    command = nodes.enter(LAB, node, "python3", "-c", HOLD, lock)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.stdin.close()


def run_while_held(node: str, lock: str, *command: str) -> str:
    """Run a command in the node while somebody holds a lock, who lets go when it waits; return what it prints."""
    with contextlib.ExitStack() as holding:
        holding.enter_context(held(node, lock))
        started = subprocess.Popen(
            nodes.enter(LAB, node, *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with started:
            assert started.stdout is not None
            said = ""
            for line in started.stdout:
                said += line
                if line.startswith("Waiting for "):
                    holding.close()
    assert started.returncode == 0, said
    # Who that is cannot be told in a node: overlayfs gives its files other devices than /proc/locks has.
    assert f", which holds {lock}\n" in said, said
    return said


def make_packages(node: str) -> None:
    """Install packages that are empty."""
    for name, needed in PACKAGES.items():
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: test\n"
        control += f"Depends: {needed}\n" if needed else ""
        inside(node, f"mkdir -p /tmp/{name}/DEBIAN; printf %s '{control}' >/tmp/{name}/DEBIAN/control")
        inside(node, f"dpkg-deb --build /tmp/{name} /tmp/{name}.deb; dpkg --install /tmp/{name}.deb")


def installed(node: str) -> list[str]:
    """Return which of these packages the node has."""
    shown = inside(node, "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'").splitlines()
    return sorted(name for name in PACKAGES if f"installed {name}" in shown)


@pytest.mark.parametrize("lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"])
def test_removing_waits_and_purges_exactly_what_was_noted(node: str, lock: str) -> None:
    make_packages(node)
    inside(node, f"mkdir -p /var/lib/podnet-lab; printf 'lab-needed\\nlab-noted\\n' >{RECORD}")
    said = run_while_held(node, lock, "env", f"PYTHON={sys.executable}", BOOTSTRAP, "remove")
    assert said.startswith("Removing the 2 packages that the lab installed\nWaiting for ")
    assert "lab-needed stays: another package needs it now" in said
    assert installed(node) == ["lab-needed", "lab-other"]
    assert inside(node, f"test ! -e {RECORD} && dpkg --get-selections lab-needed").split() == ["lab-needed", "install"]


UPDATE: t.Final = "apt-get -q update -o Dir::State::Lists=/tmp/apt/lists -o Dir::Etc::SourceList=/tmp/apt/sources.list"


@pytest.mark.parametrize(
    ("lock", "command"),
    [
        ("/tmp/apt/lists/lock", f"{UPDATE} -o Dir::Etc::SourceParts=/tmp/apt/none"),  # noqa: S108
        ("/var/lib/dpkg/lock-frontend", "apt-get -qy --no-upgrade install dpkg"),
    ],
    ids=["update", "install"],
)
def test_apt_gets_the_lock_that_was_waited_for(node: str, lock: str, command: str) -> None:
    inside(node, "mkdir -p /tmp/apt/lists/partial; : >/tmp/apt/sources.list; rm -f /tmp/apt/log")
    program = BOOTSTRAP.replace("bootstrap.sh", "package_lock.py")
    said = run_while_held(node, lock, sys.executable, program, "/tmp/apt/log", lock, "--", *command.split())  # noqa: S108
    assert said.count("\n") == 1, "what the command prints is in the log"
    assert "Reading package lists..." in inside(node, "cat /tmp/apt/log")


def test_the_command_has_the_lock_and_nobody_else_gets_it(tmp_path: Path) -> None:
    log, lock = tmp_path / "log", tmp_path / "lock"
    command = [sys.executable, package_lock.__file__, str(log), str(lock), "--"]
    subprocess.run([*command, sys.executable, "-c", ATTEMPT, str(lock)], check=True)
    assert "BlockingIOError" in log.read_text()


def test_who_holds_a_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with path.open() as lock:
            told = package_lock.holder(lock.fileno())
        holder.communicate()
    assert told == f"process {holder.pid} ({Path(sys.executable).name})"
