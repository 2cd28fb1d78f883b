# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong variable is refused without any secret of the inventory in Ansible's output, however verbose it is.

No host is reached: arguments are checked on the controller, and the inventory names nodes of a lab that does not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.tests.tools import role_readmes

ROOT = Path(__file__).resolve().parents[3]
COLLECTIONS = ROOT / ".cache" / "collections"
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
PASSWORD, TOKEN = "S3cretOfTheSession", "S3cretOfTheToken"
VARIABLES: dict[str, t.Any] = {
    "ansible_connection": "netns_node",
    "calico_ip_pools": [{"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "None"}],
    "calico_bgp_passwords": {"sessions": {"rack": PASSWORD}},
    "cni_kubeconfig": {"server": "https://192.0.2.1:6443", "token": TOKEN},
}
PROGRAMS = {"bird": True, "cni": True, "nft": True}
PLANNED = {
    "plan_of_node": {"bird": False, "secrets": []},
    "plan_cluster": {"hosts": {}, "resources": []},
    "plan_host": {"host": {"programs": PROGRAMS}, "bird_deployed": True},
}
AT_NIGHT = [pytest.param(name, marks=pytest.mark.nightly) for name in ("audit", "change_bgp", "firewall", "verify")]
PLAYBOOKS = ["deploy", "switch_encapsulation", *AT_NIGHT]
# A variable with a wrong value for each role that has secrets.
ROLES = {"audit": "audit_fail_on", "bird": "bird_bfd", "cni": "cni_exclusive", "plan": "plan_standby"}

pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="ansible-playbook is not installed beside this Python"),
    pytest.mark.skipif(not COLLECTIONS.exists(), reason="tests/lab/bootstrap.sh links the checkout as a collection"),
]


def refused(tmp_path: Path, playbook: str, variables: dict[str, t.Any]) -> str:
    """Run a playbook as verbosely as possible, which has to fail in a check of arguments; return all that it said."""
    inventory = tmp_path / "hosts.yml"
    group = {"hosts": {"a": None, "b": None}, "vars": {**VARIABLES, **variables}}
    inventory.write_text(yaml.safe_dump({"calico_nodes": group}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    environment |= {"ANSIBLE_LOCAL_TEMP": str(tmp_path), "HOME": str(tmp_path)}
    answer = subprocess.run(
        [str(PROGRAM), "-vvvv", "-i", str(inventory), playbook],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = answer.stdout + answer.stderr
    assert answer.returncode != 0, said
    assert "Validation of arguments failed" in said, said
    return said


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_show_no_secret_when_they_refuse_a_variable(tmp_path: Path, playbook: str) -> None:
    said = refused(tmp_path, f"podnet.calico.{playbook}", {"calico_bgp": "maybe"})
    assert "maybe" in said
    assert (PASSWORD in said, TOKEN in said) == (False, False)


@pytest.mark.parametrize("role", ROLES)
def test_roles_show_no_secret_when_they_refuse_a_variable(tmp_path: Path, role: str) -> None:
    play = tmp_path / "play.yml"
    tasks = [{"ansible.builtin.include_role": {"name": f"podnet.calico.{role}"}}]
    play.write_text(yaml.safe_dump([{"hosts": "a", "gather_facts": False, "tasks": tasks}]))
    said = refused(tmp_path, str(play), {**PLANNED, ROLES[role]: "perhaps"})
    assert (PASSWORD in said, TOKEN in said) == (False, False)


def specification(role: str) -> dict[str, t.Any]:
    """Return the options of a role's main entry point."""
    return dict(role_readmes.entry_points(ROOT / "roles" / role)["main"]["options"])


def wrong(option: dict[str, t.Any]) -> t.Any:
    """Return a value that an option of this type refuses; None where it takes everything."""
    of_type = {"bool": "perhaps", "int": "some", "float": "some", "dict": "nothing", "list": {"a": "b"}}
    return of_type.get(option.get("type", "str"), "none of them" if option.get("choices") else None)


def secret(option: dict[str, t.Any]) -> t.Any:
    """Return a value with a secret for an option that is not to be logged; with a key that is unknown to it."""
    return {"tokn": TOKEN, "of": {"key": TOKEN}} if option.get("type") == "dict" else TOKEN


@pytest.mark.nightly
def test_no_role_shows_a_secret_whatever_variable_is_wrong(tmp_path: Path) -> None:
    """Each option of each role is given a wrong value once; all that are secret hold one meanwhile."""
    roles = sorted(path.parents[1].name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
    options = {role: specification(role) for role in roles}
    secrets = {
        name: secret(option) for found in options.values() for name, option in found.items() if option.get("no_log")
    }
    assert secrets
    tasks: list[dict[str, t.Any]] = []
    for role, found in options.items():
        for name, option in found.items():
            for value in [wrong(option), *([secrets[name]] if name in secrets else [])]:
                if value is not None:
                    include = {"ansible.builtin.include_role": {"name": f"podnet.calico.{role}"}}
                    block = [{**include, "vars": {**secrets, name: value}}]
                    tasks.append({"block": block, "rescue": [{"ansible.builtin.debug": {"msg": f"over {name}"}}]})
    tasks.append({"ansible.builtin.fail": {"msg": "that is all"}})
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "a", "gather_facts": False, "tasks": tasks}]))
    # Where a role goes on, its first module fails: an unreachable host would be the end of the play.
    nothing_runs = {"ansible_connection": "local", "ansible_python_interpreter": str(tmp_path / "no-python")}
    said = refused(tmp_path, str(play), {**PLANNED, **nothing_runs})
    judged = {name for found in options.values() for name, option in found.items() if wrong(option) is not None}
    assert judged - {*re.findall(r"msg: over (\w+)", said)} == set()
    assert [word for word in (PASSWORD, TOKEN) if word in said] == []
