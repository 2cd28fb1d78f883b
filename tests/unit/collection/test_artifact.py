# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact that users install: complete, without caches, and nothing in it that only development needs."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.tests.unit import programs

ROOT = Path(__file__).resolve().parents[3]
TOP = {"CHANGELOG.rst", "FILES.json", "LICENSE", "MANIFEST.json", "README.md"}
FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the artifact and return the paths of the files in it."""
    folder = tmp_path_factory.mktemp("build")
    command = [programs.find("ansible-galaxy"), "collection", "build", "--output-path", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (artifact,) = folder.glob("*.tar.gz")
    with tarfile.open(artifact) as archive:
        return {member.name for member in archive.getmembers() if member.isfile()}


def test_it_holds_what_users_need_and_no_more(names: set[str]) -> None:
    assert {name for name in names if "/" not in name} == TOP
    assert {name.partition("/")[0] for name in names if "/" in name} == FOLDERS


def test_it_holds_no_caches(names: set[str]) -> None:
    assert [name for name in names if "cache" in name or Path(name).name.startswith(".")] == []


def test_every_module_is_in_it_and_in_the_action_group(names: set[str]) -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["calico"]
    assert set(group) == modules
    assert {f"plugins/modules/{name}.py" for name in modules} <= names
