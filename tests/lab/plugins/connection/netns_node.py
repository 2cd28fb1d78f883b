# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tasks in a node of the lab."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: netns_node
short_description: run tasks in a node of the lab
description:
  - Enters the mount, network, UTS, IPC and PID namespaces of a node of C(make lab) with nsenter. Needs root.
author: podnet.calico contributors
options:
  node:
    description: Name of the node.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  state_dir:
    description: Folder that the lab keeps its records in.
    type: path
    default: /run/podnet-lab
    vars:
      - name: netns_node_state_dir
"""

NAMESPACES: t.Final = ("--mount", "--net", "--uts", "--ipc", "--pid")
ENVIRONMENT: t.Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "USER": "root",
}


class Connection(ConnectionBase):
    """A connection into a node's namespaces; files are opened by a shell in the node."""

    transport = "netns_node"
    has_pipelining = True
    _pid = 0

    def _connect(self) -> Connection:
        if not self._pid:
            self._pid = self._find_node()
        self._connected = True
        return self

    def _find_node(self) -> int:
        """Return the PID of the node's first process, which is the recorded one only with the recorded start time."""
        node, state_dir = self.get_option("node"), self.get_option("state_dir")
        try:
            pid, started = (Path(state_dir) / "nodes" / node / "pid").read_text().split()
            running = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == started
        except (OSError, ValueError, IndexError):
            running = False
        if not running:
            raise AnsibleConnectionFailure(
                f"Cannot enter lab node {node}: it does not run (looked in {state_dir}). "
                "Start the lab with `sudo make lab`, or `sudo .venv/bin/python tests/lab/lab.py up`."
            )
        return int(pid)

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command in the node and return its exit status, output and errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        answer = subprocess.run(
            self._inside("/bin/sh", "-c", 'cd && exec /bin/sh -c "$0"', to_bytes(cmd)),
            input=in_data or b"",
            capture_output=True,
            env=ENVIRONMENT,
            check=False,
        )
        return answer.returncode, answer.stdout, answer.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the node."""
        super().put_file(in_path, out_path)
        if not Path(in_path).exists():
            raise AnsibleFileNotFound(f"Copying {in_path} into a lab node failed: there is no such file here.")
        with Path(in_path).open("rb") as source:
            self._copy(f"{in_path} to {out_path}", 'cat >"$0"', out_path, stdin=source)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the node."""
        super().fetch_file(in_path, out_path)
        with Path(out_path).open("wb") as target:
            self._copy(f"{in_path} from the node to {out_path}", 'cat <"$0"', in_path, stdout=target)

    def close(self) -> None:
        """Forget the node; there is nothing to hang up."""
        self._pid = 0
        self._connected = False

    def _inside(self, *command: str | bytes) -> list[str | bytes]:
        """Return the command line that runs a command in the node."""
        self._connect()
        return ["nsenter", f"--target={self._pid}", *NAMESPACES, "--", *command]

    def _copy(
        self,
        what: str,
        script: str,
        path: str,
        *,
        stdin: t.IO[bytes] | int = subprocess.DEVNULL,
        stdout: t.IO[bytes] | int = subprocess.DEVNULL,
    ) -> None:
        """Let a shell in the node open the path, so that its links are followed there and not on this machine."""
        command = self._inside("/bin/sh", "-c", script, path)
        answer = subprocess.run(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
        if answer.returncode:
            raise AnsibleFileNotFound(f"Copying {what} failed: {to_text(answer.stderr).strip()}")
