# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the output of ansible-playbook (callback `default`) and keep one line per task on the screen."""

from __future__ import annotations

import re
import time
import typing as t

TASK: t.Final = re.compile(r"(?:TASK|RUNNING HANDLER) \[(.*)\] \**")
PLAY: t.Final = re.compile(r"PLAY (?:\[.*\] \**|RECAP \**)")
RESULT: t.Final = re.compile(r"(ok|changed|skipping|fatal|failed): \[([^\]]+?)(?: -> [^\]]+)?\]")
RECAP: t.Final = re.compile(r"\S+ +: ok=\d+ +changed=(\d+) ")
STATES: t.Final = ("skipping", "ignored", "ok", "changed", "failed")
WIDTH: t.Final = 64


class Progress:
    """Eats output line by line and writes finished tasks to a stream; tasks that every host skips are left out."""

    def __init__(self, screen: t.TextIO, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.changed = 0
        self.failures: list[str] = []
        self._screen = screen
        self._clock = clock
        self._task = ""
        self._started = 0.0
        self._hosts: dict[str, str] = {}
        self._in_failure = False

    def feed(self, line: str) -> None:
        """Take one line of output, without its line end."""
        if found := TASK.fullmatch(line):
            self._begin(found[1])
        elif PLAY.fullmatch(line):
            self.finish()
        elif line.strip() == "...ignoring":
            self._ignore()
        elif found := RESULT.match(line):
            self._result(found[1], found[2], line)
        elif found := RECAP.match(line):
            self.changed += int(found[1])
        elif self._in_failure and line.strip():
            self.failures[-1] += f"\n{line}"
        else:
            self._in_failure = False

    def finish(self) -> None:
        """Write the line of the task at hand; nothing when there is none."""
        if self._task and set(self._hosts.values()) - {"skipping"}:
            counts = [(list(self._hosts.values()).count(state), state) for state in STATES[1:]]
            text = ", ".join(f"{number} {state}" for number, state in counts if number)
            self._write(f"  {self._task[:WIDTH]:<{WIDTH}} {self._clock() - self._started:6.1f} s  {text}\n")
        elif self._task:
            self._write("")
        self._task, self._hosts, self._in_failure = "", {}, False

    def _begin(self, name: str) -> None:
        self.finish()
        self._task, self._started = name.replace("podnet.calico.", ""), self._clock()
        if self._screen.isatty():
            self._write(f"  {self._task[:WIDTH]}")

    def _result(self, word: str, host: str, line: str) -> None:
        state = "failed" if word == "fatal" else word
        if STATES.index(state) >= STATES.index(self._hosts.get(host, STATES[0])):
            self._hosts[host] = state
        self._in_failure = state == "failed"
        if self._in_failure:
            self.failures.append(f"{self._task}\n{line}")

    def _ignore(self) -> None:
        """The failure printed last does not count (ignore_errors)."""
        if self.failures:
            self.failures.pop()
        self._hosts = {host: "ignored" if state == "failed" else state for host, state in self._hosts.items()}
        self._in_failure = False

    def _write(self, text: str) -> None:
        self._screen.write(f"\r\x1b[K{text}" if self._screen.isatty() else text)
        self._screen.flush()
