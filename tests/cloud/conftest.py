# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: EC2 on loopback, and modules run as Ansible runs them. No root, no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.cloud import ec2

Result = t.Dict[str, t.Any]
RunModule = t.Callable[..., Result]
# Whoever runs the tests may have an account: nothing of it is used.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "AZURE_", "GOOGLE_", "OS_"))}
NOWHERE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "OS_CLIENT_CONFIG_FILE": "/nonexistent",
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test"}


class Modules:
    """Modules that are run with an environment of their own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()  # what modules leave to the end of their process stays in there
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("module_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**CLEAN, **NOWHERE, "TMPDIR": self._folder.name},
        )
        self._read()

    def _read(self) -> t.Any:
        assert self._server.stdout is not None
        return json.loads(self._server.stdout.readline())

    def run(
        self, name: str, params: Result, *, check: bool = False, environment: dict[str, str] | None = None
    ) -> Result:
        """Run a module and return its result; a crash is an assertion with its traceback."""
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        chosen = KEYS if environment is None else environment
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps({"module": name, "arguments": arguments, "environment": chosen}) + "\n")
        self._server.stdin.flush()
        output = str(self._read())
        last = output.strip().splitlines()[-1] if output.strip() else ""
        assert last.startswith("{"), output
        return t.cast("Result", json.loads(last))

    def close(self) -> None:
        """End the server."""
        self._server.communicate()
        self._folder.cleanup()


@pytest.fixture(scope="session")
def modules() -> t.Iterator[Modules]:
    """Return the modules, for the session."""
    made = Modules()
    yield made
    made.close()


@pytest.fixture
def run_module(modules: Modules) -> RunModule:
    """Return a function that runs a module: run_module(name, params, check=False, environment=None)."""
    return modules.run


@pytest.fixture(scope="session")
def server() -> t.Iterator[ec2.Ec2]:
    """Return EC2, for the session."""
    ec2.accept_protocols_without_ports()
    made = ec2.Ec2()
    yield made
    made.stop()


@pytest.fixture
def cloud(server: ec2.Ec2) -> ec2.Ec2:
    """Return EC2 with three new instances."""
    server.fresh()
    return server
