# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password of BGP sessions is in one file of each node, which BIRD alone can read, and nowhere else at any time."""

from __future__ import annotations

import contextlib
import secrets
import threading
import typing as t
from pathlib import Path

import pytest
from settings import CHECKOUT
from stage import Stage

SECRETS_FILE = "/etc/bird/podnet-calico-secrets.conf"
PLACES = "/etc /home /opt /root /run /tmp /usr/local /var"
RUNS = (
    ("deploy", "--check", "--diff"),
    ("deploy", "--diff"),
    ("audit", "-e", "calico_audit_report={files}/audit.json"),
    ("verify", "-e", "calico_verify_report={files}/verify.json"),
)


class Processes:
    """Looks again and again for a text in the command lines and environments of all processes of this machine."""

    def __init__(self, secret: str) -> None:
        self.secret, self.seen, self.looks = secret.encode(), list[str](), 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*"):
                self._look(path)

    def _look(self, path: Path) -> None:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if self.secret in (path / name).read_bytes():
                    self.seen.append(f"{name}: {(path / 'cmdline').read_bytes()!r}")


@pytest.fixture(scope="module")
def password() -> str:
    return secrets.token_hex(12)


@pytest.fixture(scope="module")
def inventory(stage: Stage, password: str) -> Path:
    """Have two nodes whose sessions need a password."""

    def change(group: dict[str, t.Any]) -> None:
        variables = group["vars"]
        variables["calico_bgp_configuration"] = {"node_mesh_password": {"name": "sessions", "key": "mesh"}}
        variables["calico_bgp_passwords"] = {"sessions": {"mesh": password}}

    stage.fresh(2, "None")
    return stage.changed_inventory(change)


def files_with(stage: Stage, node: str, secret: str) -> set[str]:
    """Return the new files of a node that contain a text and that others than their owner can read."""
    tests = "-type f -perm /077 -mmin -60 -size -1M"
    found = stage.lines(node, f"find {PLACES} {tests} -exec grep -lF -e {secret} {{}} + || true")
    return {line for line in found if not Path(line).is_relative_to(CHECKOUT)}


def test_no_run_shows_it_in_output_results_reports_or_process_lists(
    stage: Stage, inventory: Path, password: str
) -> None:
    with Processes(password) as processes:
        for name, *arguments in RUNS:
            given = [argument.format(files=stage.lab.files) for argument in arguments]
            played = stage.succeed(name, "-vvvv", *given, inventory=inventory)
            assert password not in played.output, name
            assert password not in str(played.results), name
    assert processes.looks > 100
    assert processes.seen == []
    for report in ("audit.json", "verify.json"):
        assert password not in (stage.lab.files / report).read_text()


def test_no_other_file_of_a_node_has_it(stage: Stage, inventory: Path, password: str) -> None:
    for name in stage.names:
        assert password in stage.ask(name, f"cat {SECRETS_FILE}")
        assert stage.ask(name, f"stat -c '%a %U:%G' {SECRETS_FILE}").strip() == "600 bird:bird"
        assert files_with(stage, name, password) == set()
    (found,) = stage.lines("node1", f"grep -rlF -e {password} /var/lib /root /etc/podnet-calico || echo none")
    assert found == "none"
