# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook inside a namespace, on that host itself."""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, command
from ansible_collections.podnet.calico.tests.benchmarks.scene import Entry, expect

LIBRARY = Path(__file__).parent / "library"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
CONFIG = """\
[defaults]
collections_path = {collections}
library = {library}
interpreter_python = {python}
local_tmp = {scratch}/local
remote_tmp = {scratch}/remote
"""


class Plays:
    """Plays of one namespace; tasks are written into the playbook as they are given."""

    def __init__(self, bench: Bench, netns: str) -> None:
        self._bench = bench
        self._netns = netns
        setting = {"collections": engine.COLLECTIONS, "library": LIBRARY, "python": sys.executable}
        config = bench.file("ansible.cfg", CONFIG.format(scratch=bench.scratch, **setting))
        self._environment = {
            "PATH": f"{PLAYBOOK.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": os.environ.get("HOME", "/root"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(bench.scratch / "home"),
        }

    def play(self, name: str, tasks: t.Sequence[Entry], *, changed: int = 0) -> t.Callable[[], Cost]:
        """Return a side that runs these tasks; it fails unless that many of them report a change."""
        play = {"name": name, "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}
        # As JSON, which is read faster than YAML: lists of such a length come from other tasks, nobody writes them.
        book = self._bench.file(f"{name.replace(' ', '_')}.yml", json.dumps([play]))
        arguments = [str(PLAYBOOK), "-i", "localhost,", str(book)]

        def side() -> Cost:
            cost = command(arguments, netns=self._netns, environment=self._environment)
            if tasks:
                recap = re.search(r"ok=(\d+)\s+changed=(\d+)", cost.answer)
                found = tuple(map(int, recap.groups())) if recap else cost.answer[-2000:]
                expect(found, (len(tasks), changed), f"{name}: tasks that went well and that changed something")
            return cost

        return side
