# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the playbook deploy looks at the container runtime's part before it touches anything: never by default."""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2.nativetypes
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def load(path: str) -> t.Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


DEFAULTS = {**load("roles/calico/defaults/main.yml"), **load("roles/cni/defaults/main.yml")}
VARS = load("roles/cni/vars/main.yml")


def true(condition: str, given: dict[str, t.Any]) -> bool:
    """Tell whether a condition on variables of the role cni holds."""
    environment = jinja2.nativetypes.NativeEnvironment()
    known = {**DEFAULTS, **given}
    for name in ("cni_list_needs_a_look", "cni_needs_a_look"):
        known[name] = environment.from_string(VARS[name]).render(**known)
    return bool(environment.compile_expression(condition)(**known))


def of_the_playbook() -> str:
    return str(load("playbooks/deploy.yml")[0]["pre_tasks"][0]["when"])


def of_the_list() -> str:
    return str(load("roles/cni/tasks/check.yml")[0]["when"])


OF_THE_LIST: list[dict[str, t.Any]] = [
    {"cni_chain": "calico"},
    {"cni_extra_plugins": [{"type": "tuning"}]},
    {"cni_list_options": {"disableCheck": True}},
    {"cni_network_name": "other"},
    {"cni_spec_version": "1.1.0"},
]


@pytest.mark.parametrize("given", OF_THE_LIST, ids=str)
def test_what_is_not_the_default_is_looked_at(given: dict[str, t.Any]) -> None:
    assert true(of_the_playbook(), given)
    assert true(of_the_list(), given)


@pytest.mark.parametrize("given", [{"cni_plugins_source": "present"}, {"cni_runtime": "crio"}], ids=str)
def test_plugins_and_runtime_are_looked_at(given: dict[str, t.Any]) -> None:
    assert true(of_the_playbook(), given)
    assert not true(of_the_list(), given)


def test_defaults_need_no_look() -> None:
    assert not true(of_the_playbook(), {})
    assert not true(of_the_list(), {})
