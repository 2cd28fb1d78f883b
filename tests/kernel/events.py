# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells daemons that listen, from `ip monitor`."""

from __future__ import annotations

import itertools
import select
import subprocess
import typing as t

from ansible_collections.podnet.calico.tests.kernel.net import Namespace


class Events:
    """What `ip monitor` says of links, addresses, routes and neighbours; a mark is a route that is made for it."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        command = ["nsenter", f"--net={host.path}", "ip", "monitor", "link", "address", "route", "neigh"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        while not select.select([self._output], [], [], 0.05)[0]:
            self._mark()
        self.since()

    def _mark(self, number: int = 1) -> str:
        self._host.ip(f"route add blackhole 203.0.113.{number} proto static")
        self._host.ip(f"route del blackhole 203.0.113.{number} proto static")
        return f"203.0.113.{number}"

    def since(self) -> list[str]:
        """Return what was said since the last call."""
        mark = self._mark(2)
        lines = list(itertools.takewhile(lambda line: not line.startswith(f"Deleted blackhole {mark}"), self._lines()))
        return [line for line in lines if "203.0.113." not in line]

    def _lines(self) -> t.Iterator[str]:
        return iter(self._output.readline, "")

    def close(self) -> None:
        """End the monitor."""
        self._process.kill()
        self._process.communicate()
