# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real BIRDs in namespaces, each with its own /etc/bird and /run/bird, driven by calico_bird and calico_bird_info."""

from __future__ import annotations

import copy
import datetime
import json
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import COLLECTIONS, Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.services import offline
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

Birds = t.Tuple["Bird", "Bird", "Bird"]
NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24"}
THREE = {**NODES, "node3": "192.0.2.13/24"}
SESSION2, SESSION3 = "bgp_192_0_2_12", "bgp_192_0_2_13"
CONFIG, SECRETS = "podnet-calico.conf", "podnet-calico-secrets.conf"
JITTER = 0.2  # seconds; BIRD works times out from two clocks
DAY = 24 * 60 * 60  # seconds
_BIND = """mount --bind "$1" /etc/bird && mount --bind "$2" /run/bird && mount --bind "$3" /etc/systemd/system &&
mount --bind "$4" /usr/local/sbin && exec nsenter --net="$5" """
_START = _BIND + "bird -f -u bird -g bird -c /etc/bird/podnet-calico.conf -s /run/bird/bird.ctl"
_MODULE = _BIND + '"$6" -m ansible_collections.podnet.calico.plugins.modules.calico_bird'


class Bird:
    """A host with its own BIRD, which runs as BIRD's user; systemd does not run."""

    def __init__(self, host: Namespace, files: Path, modules: Modules) -> None:
        self.host, self.modules = host, modules
        self.etc, self.run = files / "etc", files / "run"
        self.config, self.secrets = self.etc / CONFIG, self.etc / SECRETS
        for directory in (self.etc, self.run):
            directory.mkdir(parents=True)
            shutil.chown(directory, "bird", "bird")
        self.units = files / "units"
        self.units.mkdir()
        self._binds = {"/etc/bird": self.etc, "/run/bird": self.run, **offline(self.units)}
        self._process: subprocess.Popen[str] | None = None

    def module(self, name: str, params: Result, *, check: bool = False) -> Result:
        binds = {seen: str(real) for seen, real in self._binds.items()}
        return self.modules.run(self.host.path, name, params, check=check, binds=binds)

    def apply(self, params: Result) -> Result:
        """Run calico_bird in check mode and for real: the first has to predict the second."""
        predicted = self.module("calico_bird", params, check=True)
        done = self.module("calico_bird", params)
        assert not done.get("failed"), done["msg"]
        assert {**done, "diff": predicted["diff"]} == predicted
        return done

    def begin(self, params: Result) -> subprocess.Popen[str]:
        """Run calico_bird as a process of its own, to be disturbed."""
        command = self._inside(_MODULE, sys.executable)
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(COLLECTIONS), "LC_ALL": "C.UTF-8"}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert process.stdin is not None
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": params}))
        process.stdin.close()
        return process

    def _inside(self, script: str, *more: str) -> list[str]:
        return ["unshare", "-m", "sh", "-c", script, "sh", *map(str, self._binds.values()), self.host.path, *more]

    def start(self) -> None:
        self._process = subprocess.Popen(self._inside(_START), text=True)
        wait_for(lambda: self._birdc("show status").returncode == 0, "BIRD's start")

    def _birdc(self, question: str) -> subprocess.CompletedProcess[str]:
        command = ["birdc", "-s", str(self.run / "bird.ctl"), *question.split()]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, question: str) -> str:
        done = self._birdc(question)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def digest(self) -> str:
        return self.ask("eval PODNET_DIGEST").split()[-1]

    def since(self) -> dict[str, float]:
        """Return when the state of each session began, in seconds; BIRD may show some milliseconds more or less."""
        lines = [line.split() for line in self.ask("show protocols").splitlines()]
        return {words[0]: seconds(words[4]) for words in lines if words[1:2] == ["BGP"]}

    def settled(self) -> dict[str, float]:
        """Return when the state of each session began, once a reset could be told from that (see same)."""
        while True:
            since, now = self.since(), seconds(datetime.datetime.now().strftime("%H:%M:%S.%f"))
            if (now - max(since.values())) % DAY > 2 * JITTER:
                return since
            time.sleep(JITTER)

    def established(self, *names: str) -> bool:
        return all("Established" in self.ask(f"show protocols {name}") for name in names)

    def kernel_routes(self, version: int = 4) -> dict[str, Result]:
        return self.host.routes("proto bird", version)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.etc.iterdir())

    def keeps_what_it_has(self) -> bool:
        """Tell whether no undo is pending that BIRD would make by itself when its time has come."""
        return "Nothing to do" in self.ask("configure confirm")

    def go_back(self, text: str) -> None:
        """Have BIRD follow a text of its configuration without passwords, without a run of calico_bird."""
        self.config.write_text(text)
        self.secrets.unlink(missing_ok=True)
        assert "Reconfigur" in self.ask("configure")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def kill(self) -> None:
        """End BIRD as a crash does: its socket stays, and so do its routes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def seconds(clock: str) -> float:
    """Return a time of the day in seconds."""
    hour, minute, second = clock.split(":")
    return int(hour) * 3600 + int(minute) * 60 + float(second)


def same(since: dict[str, float]) -> t.Any:
    """Return what equals the times of sessions that were not reset; a reset takes a second at least."""
    return pytest.approx(since, abs=JITTER)


def is_same(since: dict[str, float], now: dict[str, float], session: str) -> bool:
    """Tell whether a session was not reset meanwhile."""
    return abs(now[session] - since[session]) < JITTER


def planned(encapsulation: str = "None", nodes: t.Mapping[str, str] = NODES) -> dict[str, Result]:
    made = plans(cluster(pool(encapsulation=encapsulation), nodes=nodes), nodes, bgp="enabled")
    return {name: {"bgp": plan["bgp"]} for name, plan in made.items()}


def block(params: Result) -> str:
    """Return the first block of a node."""
    return str(params["bgp"]["families"][0]["blocks"][0])


def changed(params: Result, change: t.Callable[[Result], t.Any]) -> Result:
    """Return parameters of calico_bird whose bgp is another."""
    result = copy.deepcopy(params)
    change(result["bgp"])
    return result


def with_session(**options: t.Any) -> t.Callable[[Result], None]:
    """Return a change of the options of the session with node2."""
    return lambda bgp: bgp["sessions"][0].update(options)


def start_mesh(birds: t.Sequence[Bird], plan: dict[str, Result]) -> None:
    """Configure and start a BIRD for each node of the plan, and wait for all sessions and routes."""
    pairs = list(zip(birds, plan.values()))
    for bird, params in pairs:
        assert bird.module("calico_bird", params)["running"] is False
        bird.start()
    for bird, params in pairs:
        names = [session["name"] for session in params["bgp"]["sessions"]]
        found = bird.module("calico_bird_info", {"sessions": names, "wait": 60})
        assert [found["sessions"][name]["info"] for name in names] == ["Established"] * len(names), found
        for name in names:
            wait_for(lambda bird=bird, name=name: "1 imported" in bird.ask(f"show protocols all {name}"))
