# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say about themselves is what they are: defaults, argument specs, READMEs, the list of variables,
and each default of a variable that several roles read in one place."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.tools import role_readmes
from ansible_collections.podnet.calico.tests.tools.role_readmes import SHARED, entry_points, load

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path != SHARED)
DEFAULTS: dict[str, t.Any] = load(SHARED / "defaults" / "main.yml")
SECRET = re.compile(r"password|kubeconfig|token|secret")
# How filters read a variable of a host.
BY_FILTERS = re.compile(r'\.get\("(calico_[a-z0-9_]+)"\)')
ROW = re.compile(r"^\| `(calico_[a-z0-9_]+)` \| [^|]+ \| ([^|]+) \|", re.MULTILINE)
# A default that a role or playbook gives to a variable which is neither its own nor one of Ansible. By place: why the
# default cannot come from the role calico.
FALLBACK = re.compile(r"(?<![\w.])([a-z_]+)((?:\.\w+|\[[^]]+\])*) \| default\(")
HOSTVARS = "hostvars have no defaults of roles"
LEFT = {
    ("playbooks/lint.yml", "lint_first.calico_allow_cut_off"): HOSTVARS,
    ("playbooks/lint.yml", "lint_first.calico_bgp"): HOSTVARS,
    ("playbooks/migrate_pool.yml", "migrate_first.calico_datastore"): HOSTVARS,
    ("playbooks/migrate_pool.yml", "migrate_first.calico_datastore_host"): HOSTVARS,
    ("playbooks/remove_node.yml", "remove_first.calico_datastore"): HOSTVARS,
    ("playbooks/remove_node.yml", "remove_first.calico_datastore_host"): HOSTVARS,
    ("playbooks/switch_encapsulation.yml", "calico_switch_batch"): "serial is read before any role",
    ("roles/baseline/defaults/main.yml", "plan_host.remembered"): "the role runs without the role plan, too",
    ("roles/cloud/defaults/main.yml", "instance_id"): "plugins for inventories of clouds set it",
    ("roles/cni/vars/main.yml", "plan_host.host.cni_bin_dir"): "a host without plugins has no folder of them",
    ("roles/preflight/tasks/plan.yml", "calico_datastore_host"): "hosts need not be in a group to be judged",
    ("roles/verify/tasks/report.yml", "probe_verdict.failure"): "the role probe has not run, or has failed",
}


def options_of(role: Path) -> dict[str, t.Any]:
    """Return the options of a role's main entry point that are its own."""
    found = entry_points(role)["main"]["options"].items()
    return {name: option for name, option in found if name.startswith(f"{role.name}_")}


def defaults_of(role: Path) -> dict[str, t.Any]:
    """Return the defaults of a role's own variables, in the role or among the shared ones."""
    shared = {name: value for name, value in DEFAULTS.items() if name.startswith(f"{role.name}_")}
    return {**shared, **load(role / "defaults" / "main.yml")}


def tasks(role: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((role / "tasks").glob("*.yml")))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_argument_spec_lists_exactly_the_defaults(role: Path) -> None:
    options, defaults = options_of(role), defaults_of(role)
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
            given = {**DEFAULTS, **defaults_of(role)}[name]
            secret = bool(SECRET.search(name) or SECRET.search(str(given)))
            of_another = not name.startswith(f"{role.name}_")
            assert (bool(option.get("no_log")), "default" in option) == (secret, not secret and not of_another), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_option_is_described_typed_and_named_after_its_role(role: Path) -> None:
    for entry in entry_points(role).values():
        for name, option in entry["options"].items():
            assert name.startswith(f"{role.name}_") or name in DEFAULTS
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
    assert [name for name in defaults_of(role) if not re.search(rf"\b{name}\b", used)] == []


@pytest.mark.parametrize("role", [*ROLES, SHARED], ids=lambda role: role.name)
def test_the_readme_is_current(role: Path) -> None:
    assert role_readmes.is_current(role)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_options_of_another_role_are_checked_as_that_role_checks_them(role: Path) -> None:
    for name, option in entry_points(role)["main"]["options"].items():
        if not name.startswith(f"{role.name}_"):
            owner = options_of(ROOT / "roles" / name.partition("_")[0])[name]
            for key in ("type", "elements", "choices", "no_log"):
                assert option.get(key) == owner.get(key), (name, key)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_roles_have_shared_defaults_if_they_read_any(role: Path) -> None:
    needed = [{"role": "podnet.calico.calico"}] if role_readmes.shared_by(role) else []
    assert load(role / "meta" / "main.yml")["dependencies"] == needed


def test_the_role_of_shared_defaults_costs_no_task() -> None:
    """Neither has it tasks, nor a spec, for which Ansible would add a task to each role that depends on it."""
    assert sorted(path.parent.name for path in SHARED.glob("*/*.yml")) == ["defaults", "meta", "vars"]
    assert not (SHARED / "meta" / "argument_specs.yml").exists()


def test_each_shared_variable_is_of_the_inventory_or_described_by_its_role() -> None:
    """In which case at least one other role reads it."""
    for name in DEFAULTS:
        owner = name.partition("_")[0]
        if owner != SHARED.name:
            assert name in options_of(ROOT / "roles" / owner)
            playbooks = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "playbooks").glob("*.yml")))
            others = [role.name for role in ROLES if role.name != owner and name in role_readmes.shared_by(role)]
            assert others or re.search(rf"\b{name}\b", playbooks), name


def test_the_list_of_variables_is_complete_and_has_the_right_defaults() -> None:
    filters = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins" / "filter").glob("*.py"))
    rows = dict(ROW.findall((ROOT / "docs" / "variables.md").read_text(encoding="utf-8")))
    shared = {name: value for name, value in DEFAULTS.items() if name.startswith("calico_")}
    assert set(rows) == {*shared, *BY_FILTERS.findall(filters), "calico_switch_batch"}
    for name, value in shared.items():
        if value in ("", 0) or str(value).startswith("{{"):
            assert "none" in rows[name] or len(rows[name].split()) > 2, f"{name}: say in words where it comes from"
        else:
            assert rows[name] == role_readmes.default(value), name


def fallbacks() -> t.Iterator[tuple[str, str]]:
    """Yield the file and variable of each default that is given outside the defaults of a variable's own role."""
    parts = [path for role in ROLES for part in role_readmes.PARTS for path in (role / part).glob("*.yml")]
    for path in sorted([*parts, *(ROOT / "playbooks").glob("*.yml")]):
        place = path.relative_to(ROOT)
        # The first part of the names of a playbook's variables is that of the playbook.
        own = (place.parts[1] if place.parts[0] == "roles" else path.stem.partition("_")[0]) + "_"
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("  hosts: ")]
        for name, rest in FALLBACK.findall("\n".join(lines)):
            shared = name in DEFAULTS or name.startswith("calico_") or rest.startswith(".calico_")
            if shared or not name.startswith((own, "ansible_", "groups")):
                yield str(place), name + rest


def test_defaults_of_shared_variables_and_of_other_roles_stand_once() -> None:
    assert sorted(set(fallbacks())) == sorted(LEFT)
    assert len(LEFT) <= 15


def test_the_group_of_the_plays_is_the_default_of_the_variable() -> None:
    """Ansible reads `hosts:` before the defaults of roles, so that each play has to say the default."""
    wanted = f"calico_group | default('{DEFAULTS['calico_group']}')"
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").glob("*.yml"))
    assert text.count('hosts: "{{ calico_group') == text.count(f'hosts: "{{{{ {wanted}')
