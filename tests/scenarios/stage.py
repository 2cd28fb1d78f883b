# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with what scenarios do to it: run playbooks, ask nodes, compare what nodes are before and after."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import nodes
import pytest
import vm
import yaml
from settings import CHECKOUT, Lab

HERE: t.Final = Path(__file__).resolve().parent
PROGRAMS: t.Final = Path(sys.executable).parent

# What Ansible does on the controller or does not do at all; everything else reaches a node.
ON_THE_CONTROLLER: t.Final = {
    "ansible.builtin.assert",
    "ansible.builtin.debug",
    "ansible.builtin.include_role",
    "ansible.builtin.include_tasks",
    "ansible.builtin.set_fact",
    "ansible.builtin.set_stats",
    "ansible.builtin.validate_argument_spec",
}
# copy looks at the file on the node (stat), then puts it there or corrects its mode (file).
MODULE_CALLS: t.Final = {"ansible.builtin.copy": 2}


@dataclasses.dataclass(frozen=True)
class Result:
    """What one task gave on one host; see plugins/callback/task_results.py."""

    host: str
    delegate: str
    task: str
    action: str
    status: str
    changed: bool
    changes: list[str]
    message: str


@dataclasses.dataclass(frozen=True)
class Played:
    """One run of a playbook: its exit status, what it printed, and the results of its tasks in order."""

    status: int
    output: str
    results: list[Result]

    @property
    def changed(self) -> list[str]:
        """Return "host: task" of everything that was changed."""
        return [f"{result.host}: {result.task}" for result in self.results if result.changed]

    @property
    def failures(self) -> list[str]:
        """Return "host: message" of everything that failed."""
        found = [result for result in self.results if result.status in ("failed", "unreachable")]
        return [f"{result.host}: {result.message}" for result in found]

    @property
    def story(self) -> set[tuple[str, str, bool]]:
        """Return host, task, and whether it changed something, of everything that reached a node."""
        return {(result.host, result.task, result.changed) for result in self._on_nodes()}

    def module_calls(self) -> dict[str, int]:
        """Return how many modules ran on each node."""
        counts: dict[str, int] = {}
        for result in self._on_nodes():
            counts[result.delegate] = counts.get(result.delegate, 0) + MODULE_CALLS.get(result.action, 1)
        return counts

    def _on_nodes(self) -> list[Result]:
        return [r for r in self.results if r.status != "skipped" and r.action not in ON_THE_CONTROLLER]


class Stage:
    """One lab and everything that is done with it; its files are below .lab of the checkout."""

    def __init__(self, name: str) -> None:
        self.lab = Lab(name)
        self.names: list[str] = []

    def up(self, count: int, encapsulation: str = "VXLAN", *, ssh: bool = False, options: t.Sequence[str] = ()) -> None:
        """Bring the lab up, or give the one that runs another encapsulation; options: more of lab.py's."""
        arguments = ["up", "--nodes", str(count), "--encapsulation", encapsulation]
        self.do(*arguments, *(["--ssh"] if ssh else []), *options)
        self.names = [f"node{index}" for index in range(1, count + 1)]

    def fresh(self, count: int, encapsulation: str = "VXLAN", *, ssh: bool = False) -> None:
        """Bring the lab up with nodes that nothing has happened to."""
        self.do("down")
        self.up(count, encapsulation, ssh=ssh)

    def down(self) -> None:
        """Take the lab down and remove its folder."""
        self.do("down")
        shutil.rmtree(self.lab.files)

    def do(self, *arguments: str) -> None:
        """Run a command of the lab, as reboot, power-cut or start, followed by names of nodes; it has to succeed.

        A machine that needed a second start is a failure: nobody knows why, so a test must not hide it.
        """
        program = CHECKOUT / "tests" / "lab" / "lab.py"
        environment = os.environ | {"PODNET_LAB_NAME": self.lab.name}
        answer = subprocess.run(
            [sys.executable, str(program), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0 and vm.AGAIN not in answer.stdout, answer.stdout + answer.stderr

    # -- playbooks ------------------------------------------------------------------------------------------------

    @property
    def inventory(self) -> Path:
        """Return the inventory of the lab."""
        return self.lab.files / "inventory.yml"

    def changed_inventory(self, change: t.Callable[[dict[str, t.Any]], None]) -> Path:
        """Return a copy of the inventory whose group calico_nodes a function has changed."""
        content = yaml.safe_load(self.inventory.read_text())
        change(content["calico_nodes"])
        copy = self.lab.files / "changed.yml"
        copy.write_text(yaml.safe_dump(content))
        return copy

    def play(self, name: str, *arguments: str, inventory: Path | None = None, inside_fabric: bool = False) -> Played:
        """Run podnet.calico.NAME to its end, whatever that is."""
        with self._start(name, arguments, inventory, inside_fabric) as child:
            output = child.communicate()[0]
        return Played(child.returncode, output, self.results())

    def succeed(self, name: str, *arguments: str, **options: t.Any) -> Played:
        """Run podnet.calico.NAME, which has to succeed."""
        played = self.play(name, *arguments, **options)
        assert played.status == 0, played.output
        return played

    def play_until(self, name: str, task: str, *arguments: str) -> Played:
        """Run podnet.calico.NAME and kill it, with all its processes, when the first result of a task is there."""
        with self._start(name, arguments, None, False) as child:
            while task not in [result.task.rpartition(" : ")[2] for result in self.results()]:
                assert child.poll() is None, f"{name} ended before {task}"
                time.sleep(0.01)
            os.killpg(child.pid, signal.SIGKILL)
            output = child.communicate()[0]
        return Played(child.returncode, output, self.results())

    def _start(
        self, name: str, arguments: t.Sequence[str], inventory: Path | None, inside_fabric: bool
    ) -> subprocess.Popen[str]:
        self._results_file.unlink(missing_ok=True)
        before = ["ip", "netns", "exec", self.lab.fabric] if inside_fabric else []
        program = str(PROGRAMS / "ansible-playbook")
        return subprocess.Popen(
            [*before, program, "-i", str(inventory or self.inventory), f"podnet.calico.{name}", *arguments],
            cwd=CHECKOUT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of Ansible's programs."""
        return os.environ | {
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "plugins" / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_results",
            "ANSIBLE_FORCE_COLOR": "0",  # Molecule forces it
            "ANSIBLE_NOCOLOR": "1",
            "TASK_RESULTS": str(self._results_file),
        }

    @property
    def _results_file(self) -> Path:
        return self.lab.files / "results.jsonl"

    def results(self) -> list[Result]:
        """Return what the tasks of the run that is going on, or was the last one, have given so far."""
        if not self._results_file.exists():
            return []
        complete = self._results_file.read_text().rpartition("\n")[0]
        return [Result(**json.loads(line)) for line in complete.splitlines()]

    def module(self, node: str, module: str, **options: t.Any) -> dict[str, t.Any]:
        """Run one module of the collection on a node and return its result; it has to succeed."""
        command = [str(PROGRAMS / "ansible"), "-i", str(self.inventory), node]
        command += ["-m", f"podnet.calico.{module}", *(["-a", json.dumps(options)] if options else [])]
        environment = self.environment() | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        del environment["ANSIBLE_CALLBACKS_ENABLED"]
        answer = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return dict(json.loads(answer.stdout.partition("=> ")[2]))

    # -- nodes ----------------------------------------------------------------------------------------------------

    def enter(self, node: str, *command: str) -> list[str]:
        """Return the command line that runs a command inside a node."""
        return nodes.enter(self.lab, node, *command)

    def run(self, node: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command inside a node."""
        inner = self.enter(node, "/bin/sh", "-c", command)
        return subprocess.run(inner, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def ask(self, node: str, command: str) -> str:
        """Return what a shell command prints inside a node; it has to succeed."""
        answer = self.run(node, command)
        if answer.returncode:
            pytest.fail(f"{command} in {node}: {answer.stdout}{answer.stderr}")
        return answer.stdout

    def lines(self, node: str, command: str) -> list[str]:
        """Return the lines of what a shell command prints inside a node, without the blanks at their ends."""
        return [line.strip() for line in self.ask(node, command).splitlines()]

    def root(self, node: str) -> Path:
        """Return the root of a node's file tree as this machine sees it."""
        process = nodes.process(self.lab, node)
        assert process is not None, f"{node} does not run"
        return Path(f"/proc/{process.pid}/root")
