# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit tests of our netlink messages once more, with Debian's Python and its pyroute2 as the oracle."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path

from ansible_collections.podnet.calico.tests.kernel.net import COLLECTIONS, DEBIAN, HERE

TESTED = HERE.parent / "unit" / "kernel" / "test_wire.py"
# What these tests need beside pyroute2; all of it is plain Python.
BORROWED = ("_pytest", "hypothesis", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sortedcontainers")


def test_our_messages_and_those_of_debians_pyroute2_agree(tmp_path: Path) -> None:
    for name in BORROWED:
        package = Path(str(import_module(name).__file__)).parent
        (tmp_path / name).symlink_to(package)
    for module in Path(str(import_module("pytest").__file__)).parents[1].glob("*.py"):
        (tmp_path / module.name).symlink_to(module)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{COLLECTIONS}:{tmp_path}", "LC_ALL": "C.UTF-8"}
    found = subprocess.run(
        [DEBIAN, "-c", "import pyroute2; print(pyroute2.__file__)"], env=environment, capture_output=True, text=True
    )
    assert "dist-packages" in found.stdout, found.stderr
    command = [DEBIAN, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(TESTED.parents[3]), str(TESTED)]
    done = subprocess.run(command, env=environment, cwd=TESTED.parents[3], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
