# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to routes while a module runs, as `ip monitor` sees it."""

from __future__ import annotations

import itertools
import select
import subprocess

from ansible_collections.podnet.calico.tests.kernel.net import Namespace


class Monitor:
    """`ip monitor route`, read from one mark to the next; a mark is a route that the test itself makes."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        command = ["nsenter", f"--net={host.path}", "ip", "monitor", "route"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        while not select.select([self._output], [], [], 0.05)[0]:
            host.ip("route replace 203.0.113.1 dev lo proto static")
            host.ip("route del 203.0.113.1 dev lo proto static")

    def deleted(self, destination: str, mark: str) -> list[str]:
        """Return the lines since the last mark that say that a destination lost its route; it must have changed."""
        lines = [line for line in self.until_mark(mark) if destination in line.split()]
        assert lines
        return [line for line in lines if line.startswith("Deleted")]

    def until_mark(self, mark: str) -> list[str]:
        """Return the lines seen before a mark appears."""
        self._host.ip(f"route add {mark} dev lo proto static")
        lines = iter(self._output.readline, "")
        return list(itertools.takewhile(lambda line: mark not in line, lines))

    def close(self) -> None:
        """End the monitor."""
        self._process.kill()
        self._process.communicate()
