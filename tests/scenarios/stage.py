# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with what scenarios do to it: run playbooks, ask nodes, compare what nodes are before and after."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import lifecycle
import nodes
import pytest
import snapshot
import vm
import yaml
from settings import CHECKOUT, Lab, Shape

Options = t.Dict[str, t.Any]
# What all nodes are, and the command lines of their processes.
State = t.Tuple[t.Dict[str, snapshot.Snapshot], t.Dict[str, t.List[str]]]

HERE: t.Final = Path(__file__).resolve().parent
PROGRAMS: t.Final = Path(sys.executable).parent

# The task that stores resources, claims blocks and plans.
AGREEMENT: t.Final = "Agree on resources, blocks and plans"

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
        """Return "host: task" of everything that was changed, task by task, in the order of the hosts' names."""
        runs = [list(run) for __, run in itertools.groupby(self.results, lambda result: result.task)]
        results = [result for run in runs for result in sorted(run, key=lambda result: result.host)]
        return [f"{result.host}: {result.task}" for result in results if result.changed]

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
        self._kept: tuple[Shape | None, State] | None = None

    def up(self, count: int, encapsulation: str = "VXLAN", *, ssh: bool = False, options: t.Sequence[str] = ()) -> None:
        """Bring the lab up, or give the one that runs another encapsulation; options: more of lab.py's."""
        arguments = ["up", "--nodes", str(count), "--encapsulation", encapsulation]
        self.do(*arguments, *(["--ssh"] if ssh else []), *options)
        self.names = [f"node{index}" for index in range(1, count + 1)]

    def fresh(
        self, count: int, encapsulation: str = "VXLAN", *, ssh: bool = False, options: t.Sequence[str] = ()
    ) -> None:
        """Bring the lab up with nodes that nothing has happened to, and no files of an earlier one."""
        self.down()
        self.up(count, encapsulation, ssh=ssh, options=options)

    def deployed(self, count: int, encapsulation: str = "VXLAN") -> None:
        """Have nodes as their first deployment left them: those that run, if they still are that, else fresh ones."""
        if self.is_as_kept(count, encapsulation):
            self.up(count, encapsulation)  # a test may have changed the inventory
        else:
            self.fresh(count, encapsulation)
            self.succeed("deploy")
            self.keep()

    def keep(self) -> None:
        """Note what all nodes are after their first deployment, so that `deployed` can tell whether they still are."""
        self._kept = lifecycle.running_shape(self.lab), self._state()

    def is_as_kept(self, count: int, encapsulation: str = "VXLAN") -> bool:
        """Tell whether this lab runs, and all its nodes are as they were when `keep` noted it."""
        wanted = Shape(count, encapsulation)
        if self._kept is None or not wanted == lifecycle.running_shape(self.lab) == self._kept[0]:
            return False
        self.names = wanted.names
        return not lifecycle.dead(self.lab, wanted) and self._state() == self._kept[1]

    def _state(self) -> State:
        """Return what all nodes are, and the command lines of their processes."""
        return snapshot.take(self), {name: sorted(self.lines(name, "ps -e -o args=")) for name in self.names}

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

        def is_there() -> bool:
            return task in [result.task.rpartition(" : ")[2] for result in self.results()]

        return self.play_while(name, is_there, *arguments)

    def play_while(self, name: str, condition: t.Callable[[], bool], *arguments: str) -> Played:
        """Run podnet.calico.NAME and kill it, with all its processes, when something is so."""
        with self._start(name, arguments, None, False) as child:
            while not condition():
                assert child.poll() is None, f"{name} ended before that"
                time.sleep(0.01)
            _kill_all(child.pid)
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
        return self.modules(module, {node: options})[node]

    def modules(self, module: str, options: t.Mapping[str, Options], failures: bool = False) -> dict[str, Options]:
        """Run one module of the collection on several nodes at the same time, with options by node, the same ones.

        Return the results by node. All have to succeed, unless failures are wanted.
        """
        command = [str(PROGRAMS / "ansible"), "-i", str(self.inventory), ",".join(options)]
        command += ["-m", f"podnet.calico.{module}", "-e", json.dumps({"options_of": options})]
        names = next(iter(options.values()))
        given = {name: f"{{{{ options_of[inventory_hostname]['{name}'] }}}}" for name in names}
        command += ["-a", json.dumps(given)] if given else []
        environment = self.environment() | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        del environment["ANSIBLE_CALLBACKS_ENABLED"]
        answer = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0 or failures, answer.stdout + answer.stderr
        starts = re.finditer(r"^(\S+) \| [A-Z!]+ => ", answer.stdout, re.MULTILINE)
        found = {start[1]: json.JSONDecoder().raw_decode(answer.stdout, start.end())[0] for start in starts}
        assert set(found) == set(options), answer.stdout + answer.stderr
        return found

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

    def kill(self, node: str) -> None:
        """End a node as a power cut does."""
        process = nodes.process(self.lab, node)
        assert process is not None, f"{node} does not run"
        os.kill(process.pid, signal.SIGKILL)
        nodes.await_end([process])


def _kill_all(pid: int) -> None:
    """Kill a process and all its descendants, and wait for their end.

    Workers of Ansible, and with them modules in nodes, are in sessions of their own: no signal to a group meets them.
    """
    stopped = [pid]
    for each in stopped:  # which grows
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)  # so that it has no more children than are found
        stopped += _children(each)
    killed = [nodes.Process(each, began) for each in stopped if (began := nodes.started(each)) is not None]
    for process in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    nodes.await_end(killed)


def _children(pid: int) -> list[int]:
    answer = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False)
    return [int(word) for word in answer.stdout.split()]
