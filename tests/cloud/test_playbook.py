# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook on hosts that take themselves for machines of a cloud: DMI from folders, EC2 on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.tests.cloud.arm import Azure, machine_id
from ansible_collections.podnet.calico.tests.cloud.compute import Google, instance_id
from ansible_collections.podnet.calico.tests.cloud.conftest import CLEAN, KEYS, NOWHERE
from ansible_collections.podnet.calico.tests.cloud.ec2 import ADDRESSES, REGION, Ec2
from ansible_collections.podnet.calico.tests.cloud.neutron import OpenStack

POOL = {"name": "pods", "cidr": "10.244.0.0/16"}


@pytest.fixture
def neutron() -> t.Iterator[OpenStack]:
    """Return OpenStack with three servers."""
    made = OpenStack()
    made.fresh()
    yield made
    made.stop()


def play(
    folder: Path,
    dmi: dict[str, str],
    mode: str,
    variables: dict[str, t.Any],
    *arguments: str,
    book: str = "cloud",
    **environment: str,
) -> t.Any:
    """Run a playbook on three hosts of this machine and return what the process ended with."""
    for field, text in dmi.items():
        (folder / field).write_text(f"{text}\n")
    hosts = {
        f"node{number}": {"calico_node_address": address, **{key: value[number - 1] for key, value in each.items()}}
        for each in [variables.pop("of_hosts", {})]
        for number, address in enumerate(ADDRESSES, 1)
    }
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "calico_ip_pools": [{**POOL, "encapsulation": mode}],
        "cloud_dmi_path": str(folder),
        "cloud_metadata": "never",
        **variables,
    }
    local = {"hosts": {"localhost": {key: shared[key] for key in ("ansible_connection", "ansible_python_interpreter")}}}
    inventory = folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"calico_nodes": {"hosts": hosts, "vars": shared}, "ungrouped": local}))
    return subprocess.run(
        ["ansible-playbook", "-i", str(inventory), f"podnet.calico.{book}", *arguments],
        env={**CLEAN, **NOWHERE, **KEYS, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_amazon_gets_what_the_mode_needs_and_it_is_taken_back(cloud: Ec2, tmp_path: Path) -> None:
    variables = {
        "of_hosts": {"instance_id": cloud.instances},
        "cloud_region": REGION,
        "cloud_aws_endpoint_url": cloud.url,
    }
    done = play(tmp_path, {"sys_vendor": "Amazon EC2"}, "VXLANCrossSubnet", dict(variables))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node1, node2, node3: Amazon EC2 (sys_vendor is Amazon EC2)" in done.stdout
    assert {check for check, __ in cloud.state().values()} == {False}
    assert cloud.rules() == {("udp", 4789, "podnet.calico: UDP 4789 between nodes")}
    done = play(tmp_path, {}, "VXLANCrossSubnet", dict(variables), "-e", "cloud_state=absent")
    assert done.returncode == 0, done.stdout + done.stderr
    assert cloud.state() == dict.fromkeys(ADDRESSES, (True, {}))
    assert cloud.rules() == set()


def test_openstack_gets_what_the_mode_needs_and_it_is_taken_back(neutron: OpenStack, tmp_path: Path) -> None:
    variables = {"cloud_platform": "openstack"}
    done = play(tmp_path, {}, "VXLANCrossSubnet", dict(variables), **neutron.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "information: VXLANCrossSubnet works on OpenStack if" in done.stdout
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, (["10.244.0.0/16"], ["podnet.calico:10.244.0.0_16"]))
    limited = ("-e", "cloud_state=absent", "--limit", "node1,localhost")
    assert play(tmp_path, {}, "VXLANCrossSubnet", dict(variables), *limited, **neutron.environment()).returncode == 0
    assert [len(pairs) for pairs, __ in neutron.pairs().values()] == [0, 1, 1]
    assert len(neutron.rules) == 2
    done = play(tmp_path, {}, "VXLANCrossSubnet", dict(variables), "-e", "cloud_state=absent", **neutron.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert (neutron.pairs(), neutron.rules) == (dict.fromkeys(ADDRESSES, ([], [])), {})


def test_unmanaged_the_commands_are_said_and_nothing_is_asked(neutron: OpenStack, tmp_path: Path) -> None:
    as_text = ("-e", "cloud_manage=false", "-e", "cloud_rules=false")
    done = play(tmp_path, {}, "None", {"cloud_platform": "openstack"}, *as_text, **neutron.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "openstack port set --allowed-address ip-address=10.244.0.0/16 PORT" in done.stdout
    assert neutron.requests == []


def test_azure_gets_ip_forwarding_and_it_is_taken_back(tmp_path: Path) -> None:
    azure = Azure(tmp_path)
    azure.fresh()
    names = [machine_id(f"node{number}") for number in (1, 2, 3)]
    variables = {"of_hosts": {"cloud_instance": names}, "cloud_azure_endpoint_url": azure.url}
    dmi = {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}
    done = play(tmp_path, dmi, "None", dict(variables), **azure.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: None works on Azure if IP forwarding is on" in done.stdout
    assert {on for on, __ in azure.state().values()} == {True}
    done = play(tmp_path, dmi, "None", dict(variables), "-e", "cloud_state=absent", **azure.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert {on for on, __ in azure.state().values()} == {False}
    azure.stop()


def test_google_gets_what_the_mode_needs_and_it_is_taken_back(tmp_path: Path) -> None:
    google = Google(tmp_path)
    google.fresh()
    names = [instance_id(f"node{number}") for number in (1, 2, 3)]
    variables = {"of_hosts": {"cloud_instance": names}, "cloud_google_endpoint_url": google.api}
    dmi = {"product_name": "Google Compute Engine"}
    done = play(tmp_path, dmi, "VXLAN", dict(variables), **google.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "information: VXLAN works on Google Cloud if a firewall rule lets UDP 4789 pass" in done.stdout
    assert google.opened() == {("udp", ("4789",), "nodes")}
    done = play(tmp_path, dmi, "VXLAN", dict(variables), "-e", "cloud_state=absent", **google.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert google.rules == {}
    google.stop()


def test_azure_refuses_ipip_until_it_is_ignored(tmp_path: Path) -> None:
    dmi = {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}
    refused = play(tmp_path, dmi, "IPIP", {})
    assert refused.returncode != 0
    assert "IPIP does not work on Azure" in refused.stdout
    assert "Can work here: VXLAN" in refused.stdout
    ignored = play(tmp_path, dmi, "IPIP", {"cloud_ignore": ["azure/IPIP"]})
    assert ignored.returncode == 0, ignored.stdout + ignored.stderr
    assert "warning: IPIP does not work on Azure" in ignored.stdout


def test_a_preflight_knows_the_platform_too(tmp_path: Path) -> None:
    dmi = {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}
    report = tmp_path / "verdict.json"
    given = {"preflight_probe": False, "calico_preflight_report": str(report)}
    refused = play(tmp_path, dmi, "IPIP", dict(given), book="preflight")
    assert refused.returncode != 0
    (found,) = [row for row in json.loads(report.read_text())["findings"] if row["kind"] == "cloud-mode"]
    assert (found["severity"], found["hosts"]) == ("error", ["node1", "node2", "node3"])
    assert "Azure's network drops IP protocol 4" in found["what"]
    play(tmp_path, dmi, "IPIP", {**given, "preflight_cloud": False}, book="preflight")
    assert "cloud-mode" not in report.read_text()
