# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on wires, and programs on the hosts; when a site closes, nothing of it is left."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace

# A program is alone with its children in a namespace for processes, whose first process is the shell: a program that
# becomes another user would outlive its parent. Its directories are mounted where it looks for them.
_START = """\
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
"$@"
exit $?
"""


class Site:
    """Hosts in namespaces of their own. files: where programs keep theirs."""

    def __init__(self, files: Path, modules: Modules, left: contextlib.ExitStack) -> None:
        self.files, self.modules = files, modules
        self._left = left
        self._ports = 0
        self._switch = self._namespace("switch")

    @classmethod
    @contextlib.contextmanager
    def made(cls, files: Path, modules: Modules) -> t.Iterator[Site]:
        """Make a site; programs end before the hosts go on which they run, whatever fails."""
        with contextlib.ExitStack() as left:
            yield cls(files, modules, left)

    def _namespace(self, word: str) -> Namespace:
        namespace = self._left.enter_context(Namespace.made(word))
        namespace.run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
        return namespace

    def wire(self, name: str) -> None:
        """Make a wire that hosts can be attached to."""
        self._switch.batch(f"link add {name} type bridge mcast_snooping 0", f"link set {name} up")

    def host(self, word: str, **wires: str) -> Namespace:
        """Make a host that forwards. wires: name of a wire to the addresses on it, with their lengths."""
        host = self._namespace(word)
        host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        for index, (wire, addresses) in enumerate(wires.items()):
            self._ports += 1
            host.ip(f"link add eth{index} type veth peer name port{self._ports} netns {self._switch.name}")
            self._switch.ip(f"link set port{self._ports} master {wire} up")
            up = [f"addr add {address} dev eth{index}" for address in addresses.split()]
            host.batch(*up, f"link set eth{index} up")
        return host

    def start(self, host: Namespace, command: t.Sequence[str], binds: t.Mapping[str, Path], log: Path) -> None:
        """Run a program on a host until the site closes. binds: directory it sees to the one that it really is."""
        mounts = [str(item) for seen, real in binds.items() for item in (real, seen)]
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={host.path}"]
        with log.open("ab") as output:
            started = subprocess.Popen(
                [*enter, *alone, "sh", "-euc", _START, "sh", *mounts, "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._left.callback(_end, started)


def _end(program: subprocess.Popen[bytes]) -> None:
    program.kill()
    program.wait()
