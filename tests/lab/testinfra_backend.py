# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testinfra inside lab nodes: call register(), then testinfra.get_host("netns://node1")."""

from __future__ import annotations

import shlex
import typing as t

import nodes
import testinfra.backend
from settings import current_lab
from testinfra.backend.base import CommandResult
from testinfra.backend.local import LocalBackend


class NetnsBackend(LocalBackend):
    """Runs every command inside a node of the lab that PODNET_LAB_NAME names."""

    NAME = "netns"

    def __init__(self, node: str, **options: t.Any) -> None:
        super().__init__(**options)
        self.node = node

    def get_pytest_id(self) -> str:
        """Return the name that pytest shows for the node."""
        return f"netns://{self.node}"

    def run(self, command: str, *args: str, **kwargs: t.Any) -> CommandResult:
        """Run a command inside the node. Raises LabError when the node does not run."""
        inner = self.get_command(command, *args)
        return self.run_local(shlex.join(nodes.enter(current_lab(), self.node, "/bin/sh", "-c", inner)))


def register() -> None:
    """Make testinfra know connections of the kind netns."""
    testinfra.backend.BACKENDS[NetnsBackend.NAME] = f"{__name__}.{NetnsBackend.__name__}"
