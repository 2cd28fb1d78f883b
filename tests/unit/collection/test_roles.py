# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say about themselves is what they are: defaults, argument specs, READMEs, the list of variables."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.tests.tools import role_readmes

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# How roles, playbooks and filters read a variable of the inventory: each of them may be missing.
SHARED = re.compile(r'\b(calico_[a-z_]+) \| default\(|\.get\("(calico_[a-z_]+)"\)')

SECRET = re.compile(r"password|kubeconfig|token|secret")


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entry_points(role: Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", load(role / "meta" / "argument_specs.yml")["argument_specs"])


def tasks(role: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((role / "tasks").glob("*.yml")))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_argument_spec_lists_exactly_the_defaults(role: Path) -> None:
    options, defaults = entry_points(role)["main"]["options"], load(role / "defaults" / "main.yml")
    assert set(options) == set(defaults)
    open_ones = {name: option for name, option in options.items() if not option.get("no_log")}
    assert {name: option["default"] for name, option in open_ones.items()} == {
        name: defaults[name] for name in open_ones
    }


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_secret_is_a_default_of_the_argument_spec(role: Path) -> None:
    """Ansible shows the whole spec, with the values of its defaults, when any argument of a role is refused."""
    for entry in entry_points(role).values():
        for name, option in entry["options"].items():
            secret = bool(SECRET.search(name) or SECRET.search(str(load(role / "defaults" / "main.yml")[name])))
            assert (bool(option.get("no_log")), "default" in option) == (secret, not secret), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_option_is_described_typed_and_named_after_its_role(role: Path) -> None:
    for entry in entry_points(role).values():
        for name, option in entry["options"].items():
            assert name.startswith(f"{role.name}_")
            assert option["description"]
            assert option["type"] != "list" or "elements" in option


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_further_entry_points_have_tasks_and_options_of_the_role(role: Path) -> None:
    entries = entry_points(role)
    for name, entry in entries.items():
        assert (role / "tasks" / f"{name}.yml").is_file()
        assert entry["options"].items() <= entries["main"]["options"].items()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_is_used(role: Path) -> None:
    used = tasks(role)
    assert [name for name in load(role / "defaults" / "main.yml") if not re.search(rf"\b{name}\b", used)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_is_current(role: Path) -> None:
    assert role_readmes.is_current(role)


def test_the_list_of_shared_variables_is_complete() -> None:
    files = [*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml"), ROOT / "plugins" / "filter" / "steps.py"]
    found = (pair for path in files for pair in SHARED.findall(path.read_text(encoding="utf-8")))
    inputs = {jinja or python for jinja, python in found}
    documented = set(re.findall(r"^\| `(calico_[a-z_]+)` \|", (ROOT / "docs/variables.md").read_text(), re.MULTILINE))
    assert documented == inputs
