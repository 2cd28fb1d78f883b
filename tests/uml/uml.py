#!/usr/bin/env python3
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command as root under Debian's User-mode Linux kernel, which has IPIP, VXLAN, veth and bridge as modules.

    uml.py run [--mem 1500M] [--timeout 1800] -- COMMAND...

The guest's root is this machine's own file tree, read only, below an overlay in the guest's memory: every program of
the host is there, and what the command writes is gone when the guest ends. One directory is shared and writable,
``.lab/uml`` in the checkout (``UML_SHARE`` in the command's environment); the kernel's messages are kept there in
``console.log``. The guest has no network to the outside. The command starts in the checkout, its output is copied to
our standard output as it comes, and its exit status becomes ours; 124 means that it ran into the timeout, 125 that
the guest itself failed.

hostfs is not a boundary: a command in the guest can mount any part of the host that the user who runs uml.py can
reach. This is for our own tests, never for commands that are not trusted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
TIMED_OUT = 124
GUEST_FAILED = 125
KERNEL = "linux.uml"


class GuestError(Exception):
    """The guest could not be started, or ended without the command's exit status."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """What to boot and what to run in it; timeouts are in seconds, ``memory`` is in the kernel's notation (1500M)."""

    command: tuple[str, ...]
    memory: str = "1500M"
    timeout: float = 1800.0
    start_timeout: float = 60.0
    share: pathlib.Path = CHECKOUT / ".lab" / "uml"

    @property
    def console(self) -> pathlib.Path:
        """The file that holds the kernel's messages of the last start."""
        return self.share / "console.log"

    @property
    def state(self) -> pathlib.Path:
        """The file in which the guest says ``started``, and later ``ended STATUS``."""
        return self.share / "state"


def kernel_command(guest: Guest, console_fd: int) -> list[str]:
    """Return the guest's command line: no network, kernel messages to ``console_fd``, the command's output to fd 1."""
    init = CHECKOUT / "tests" / "uml" / "init.sh"
    paths = (init, guest.share)
    if any(character.isspace() for path in paths for character in str(path)):
        raise GuestError(
            f"booting a guest with {init} and {guest.share}: a kernel command line cannot hold white space"
        )
    machine = ["umid=podnet", f"uml_dir={guest.share / 'run'}", f"mem={guest.memory}", "noreboot"]
    root = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"]
    terminals = ["con=null", f"con0=null,fd:{console_fd}", "con1=null,fd:1", "ssl=null", "console=tty0"]
    return [KERNEL, *machine, *root, *terminals, f"UML_CHECKOUT={CHECKOUT}", f"UML_SHARE={guest.share}"]


def write_command(guest: Guest) -> None:
    """Write the shell script that the guest runs: the virtual environment first in PATH, in the checkout."""
    lines = (
        f"export UML_SHARE={shlex.quote(str(guest.share))}",
        f"export PATH={shlex.quote(str(CHECKOUT / '.venv' / 'bin'))}:$PATH",
        f"cd {shlex.quote(str(CHECKOUT))} || exit {GUEST_FAILED}",
        f"exec {shlex.join(guest.command)}",
    )
    (guest.share / "command").write_text("\n".join(lines) + "\n", encoding="utf-8")


def boot(guest: Guest) -> subprocess.Popen[bytes]:
    """Start the guest in a process group of its own; its standard output is the command's."""
    shutil.rmtree(guest.share / "run", ignore_errors=True)  # a stale directory makes the kernel take another name
    (guest.share / "run").mkdir()
    guest.state.write_text("", encoding="utf-8")
    with guest.console.open("wb") as console:
        return subprocess.Popen(
            kernel_command(guest, console.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=console,
            pass_fds=(console.fileno(),),
            env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the guest with its helpers: they share its process group and would keep its memory in /dev/shm."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def copy_output(process: subprocess.Popen[bytes], sink: t.BinaryIO, seconds: float) -> bool:
    """Copy what the guest prints within ``seconds`` to ``sink``; False once it has closed its output."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], seconds)[0]:
        return True
    data = os.read(process.stdout.fileno(), 65536)
    sink.write(data)
    sink.flush()
    return bool(data)


def wait_for_start(guest: Guest, process: subprocess.Popen[bytes]) -> bool:
    """Return whether the guest said in time that it runs the command."""
    deadline = time.monotonic() + guest.start_timeout
    while time.monotonic() < deadline and process.poll() is None:
        if guest.state.read_text(encoding="utf-8").strip():
            return True
        time.sleep(0.1)
    return bool(guest.state.read_text(encoding="utf-8").strip())


def follow(guest: Guest, process: subprocess.Popen[bytes], sink: t.BinaryIO) -> int:
    """Copy the output until the guest is off; return the command's exit status, or 124 at the timeout."""
    deadline = time.monotonic() + guest.timeout
    while copy_output(process, sink, 0.5):
        if time.monotonic() > deadline:
            return TIMED_OUT
    word, _, status = guest.state.read_text(encoding="utf-8").strip().partition(" ")
    if word != "ended":
        raise GuestError(f"the guest ended before its command {shlex.join(guest.command)} did; see {guest.console}")
    return int(status)


def run(guest: Guest, sink: t.BinaryIO) -> int:
    """Boot the guest, once more if it does not start in time, and return the exit status of its command.

    The command's output goes to ``sink``. Raises GuestError when no kernel is installed, when another guest uses the
    share, when the guest does not start, and when it ends without a status.
    """
    if shutil.which(KERNEL) is None:
        raise GuestError(f"starting {KERNEL}: it is not installed; install the packages in tests/packages.txt")
    guest.share.mkdir(parents=True, exist_ok=True)
    with (guest.share / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GuestError(
                f"using {guest.share}: another guest uses it; wait for it or name another --share"
            ) from None
        write_command(guest)
        for _attempt in ("first", "second"):
            process = boot(guest)
            try:
                if wait_for_start(guest, process):
                    return follow(guest, process, sink)
            finally:
                kill(process)
    raise GuestError(f"the guest did not start, tried twice with {guest.start_timeout:g} s each; see {guest.console}")


def parse_arguments(arguments: t.Sequence[str]) -> Guest:
    """Return the guest that the command line asks for."""
    parser = argparse.ArgumentParser(description="Run a command under User-mode Linux.")
    runner = parser.add_subparsers(required=True).add_parser("run", help="boot one guest, run one command, power off")
    runner.add_argument("--mem", default=Guest.memory, help="memory of the guest (%(default)s)")
    runner.add_argument("--timeout", type=float, default=Guest.timeout, help="seconds for the command (%(default)s)")
    runner.add_argument("--share", type=pathlib.Path, default=Guest.share, help="writable directory (%(default)s)")
    runner.add_argument("command", nargs="+", metavar="COMMAND", help="the command and its arguments, after --")
    options = parser.parse_args(arguments)
    return Guest(tuple(options.command), options.mem, options.timeout, share=options.share.resolve())


def main() -> int:
    """Run what the command line asks for; a termination request takes the guest along."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        return run(parse_arguments(sys.argv[1:]), sys.stdout.buffer)
    except GuestError as error:
        print(f"uml: {error}", file=sys.stderr)
        return GUEST_FAILED


if __name__ == "__main__":
    sys.exit(main())
