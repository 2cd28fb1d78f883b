# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command to reboot a machine to the first answer of a pod on it, which a unit makes as a runtime does."""

from __future__ import annotations

import itertools
import re
import subprocess
import time
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values
from ansible_collections.podnet.calico.tests.benchmarks.measure import MeasuringFailed
from ansible_collections.podnet.calico.tests.benchmarks.modes_lab import POD_AT_BOOT, Cluster

if t.TYPE_CHECKING:  # pragma: no cover
    from stage import Stage

    from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench

WAIT: t.Final = 60.0
REPLY: t.Final = re.compile(r"^\[([\d.]+)\] \d+ bytes from", re.MULTILINE)


def measure(bench: Bench) -> dict[str, Sample]:
    """Reboot a machine under VXLAN again and again, with a pod that comes back with it."""
    with Cluster("vm", "VXLAN") as cluster:
        pods = cluster.pods_at_boot()
        times = []
        for number in range(1, bench.runs + 1):
            times.append(_rebooted(cluster.stage, pods))
            bench.note(f"run {number} of {bench.runs}: {times[-1]:.1f} s")
    return {"modes.reboot_to_ping_s": of_values(times, "s")}


def _rebooted(stage: Stage, pods: t.Mapping[str, str]) -> float:
    """Return the seconds from the command to reboot node1 until its pod answers that of node2 again."""
    inside = ["ip", "netns", "exec", POD_AT_BOOT, "ping"]
    command = stage.enter("node2", *inside, "-D", "-n", "-i", "0.1", pods["node1"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pinging:
        time.sleep(1)
        began = time.time()
        stage.do("reboot", "node1")
        _await(stage, " ".join([*inside, "-c", "1", "-W", "1", pods["node1"]]))
        stage.ask("node2", "pkill -INT -x ping")
        replies = [float(stamp) for stamp in REPLY.findall(pinging.communicate(timeout=WAIT)[0])]
    _last, first = max(itertools.pairwise(replies), key=lambda pair: pair[1] - pair[0])
    return first - began


def _await(stage: Stage, ping: str) -> None:
    deadline = time.monotonic() + WAIT
    while stage.run("node2", ping).returncode:
        if time.monotonic() > deadline:
            raise MeasuringFailed("the pod of node1 does not answer after a reboot")
