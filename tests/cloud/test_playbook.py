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

import yaml

from ansible_collections.podnet.calico.tests.cloud.conftest import CLEAN, KEYS, NOWHERE
from ansible_collections.podnet.calico.tests.cloud.ec2 import ADDRESSES, REGION, Ec2

POOL = {"name": "pods", "cidr": "10.244.0.0/16"}


def play(
    folder: Path, dmi: dict[str, str], mode: str, variables: dict[str, t.Any], *arguments: str, book: str = "cloud"
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
        env={**CLEAN, **NOWHERE, **KEYS},
        capture_output=True,
        text=True,
        check=False,
    )


def test_amazon_gets_what_the_mode_needs_and_it_is_taken_back(cloud: Ec2, tmp_path: Path) -> None:
    variables = {
        "of_hosts": {"instance_id": cloud.instances},
        "cloud_aws_region": REGION,
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
