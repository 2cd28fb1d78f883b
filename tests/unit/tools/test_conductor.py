# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of a small noxfile, run by the conductor; and single commands, measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.tools import conductor

pytest.importorskip("nox", reason="the conductor runs nox")

TOOLS = Path(str(conductor.__file__)).parent
NOXFILE = """\
import nox
nox.options.default_venv_backend = "none"

def _pytest(session, text):
    file = f"test_{session.name}.py"
    open(file, "w").write(text)
    session.run("python", "-m", "pytest", "-q", file, f"--junitxml=.cache/results/{session.name}.xml", *session.posargs)

@nox.session
def good(session):
    _pytest(session, "import pytest\\ndef test_a(): pass\\ndef test_b(): pytest.skip('no such thing here')")

@nox.session
def bad(session):
    _pytest(session, "def test_a(): assert 'red' == 'green'\\ndef test_b(): pass")

@nox.session
def plain(session):
    session.log("nothing to count")

@nox.session
def careless(session):
    session.run("sh", "-c", "setsid sleep 5077 & exit 0", external=True)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the noxfile and the tools."""
    (tmp_path / "noxfile.py").write_text(NOXFILE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "tools").symlink_to(TOOLS)
    return tmp_path


def conduct(checkout: Path, *words: str) -> tuple[int, list[str], dict[str, t.Any]]:
    """Return exit status, lines and durations of a run."""
    start = "import sys; from pathlib import Path; sys.path.insert(0, 'tests/tools'); import conductor, durations\n"
    place = "conductor.ROOT = Path.cwd(); conductor.CACHE = durations_folder = Path.cwd() / '.cache'\n"
    run = "durations.DURATIONS = durations_folder / 'durations.json'; sys.exit(conductor.main(sys.argv[1:]))"
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    # Not those by which ansible-test loads plugins into a pytest of its own.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "ANSIBLE"))}
    answer = subprocess.run(
        [sys.executable, "-c", start + place + run, *words],
        cwd=checkout,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not answer.stderr, answer.stderr
    durations = json.loads((checkout / ".cache" / "durations.json").read_text())
    return answer.returncode, answer.stdout.splitlines(), durations


def test_the_last_line_counts_and_says_why_tests_were_skipped(checkout: Path) -> None:
    status, lines, durations = conduct(checkout, "2", "good", "plain")
    assert (status, lines[-1]) == (0, "2 passed, 0 failed, 1 skipped (1: no such thing here)")
    assert set(durations["sessions"]) == {"good", "plain"}
    assert durations["cpu_seconds"] > 0


def test_a_failure_is_shown_with_its_log_and_fails_the_run(checkout: Path) -> None:
    status, lines, durations = conduct(checkout, "1", "bad", "good")
    assert (status, lines[-1]) == (1, "2 passed, 1 failed, 1 skipped (1: no such thing here)")
    assert "Failed: bad" in lines
    assert any("assert 'red' == 'green'" in line for line in lines)
    assert durations["sessions"]["bad"]["failed"] == 1


def test_arguments_reach_every_session(checkout: Path) -> None:
    __, lines, __ = conduct(checkout, "2", "good", "bad", "--", "-k", "not test_a")
    assert lines[-1] == "1 passed, 0 failed, 1 skipped (1: no such thing here)"


def test_what_is_left_running_fails_the_session_and_is_ended(checkout: Path) -> None:
    status, lines, durations = conduct(checkout, "1", "careless")
    assert (status, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")
    assert durations["sessions"]["careless"]["left_running"] == ["sleep 5077"]
    assert "left running, and killed: sleep 5077" in lines


def test_the_time_of_orphans_counts_and_the_exit_status_is_kept(tmp_path: Path) -> None:
    burn = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.5: pass'"
    result = tmp_path / "result.json"
    command = [sys.executable, str(TOOLS / "measured.py"), str(result), "sh", "-c", f"({burn} &) ; exit 3"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 3, answer.stderr
    found = json.loads(result.read_text())
    assert (found["status"], found["left_running"]) == (3, [])
    assert found["cpu_seconds"] >= 0.5
