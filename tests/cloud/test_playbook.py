# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook on hosts that take themselves for machines of clouds: DMI from folders, the clouds on loopback."""

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
from ansible_collections.podnet.calico.tests.unit import programs

ROOT = Path(__file__).resolve().parents[2]
POOL = {"name": "pods", "cidr": "10.244.0.0/16"}
AZURE = {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}
Hosts = t.Dict[str, t.Dict[str, t.Any]]


@pytest.fixture
def neutron() -> t.Iterator[OpenStack]:
    """Return OpenStack with three servers."""
    made = OpenStack()
    made.fresh()
    yield made
    made.stop()


@pytest.fixture
def azure(tmp_path: Path) -> t.Iterator[Azure]:
    """Return Azure with three machines."""
    made = Azure(tmp_path)
    made.fresh()
    yield made
    made.stop()


@pytest.fixture
def google(tmp_path: Path) -> t.Iterator[Google]:
    """Return Google Cloud with three instances."""
    made = Google(tmp_path)
    made.fresh()
    yield made
    made.stop()


def dmi(folder: Path, fields: dict[str, str]) -> dict[str, str]:
    """Return the variable by which a host takes itself for what fields of DMI say."""
    path = folder / f"dmi-{'-'.join(fields)}"
    path.mkdir(exist_ok=True)
    for field, text in fields.items():
        (path / field).write_text(f"{text}\n")
    return {"cloud_dmi_path": str(path)}


def play(
    folder: Path,
    hosts: Hosts,
    modes: list[str],
    *arguments: str,
    book: str = "cloud",
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on hosts, all of them this machine, with one pool for each mode."""
    pools = [
        {"name": mode.lower(), "cidr": f"10.{244 + at}.0.0/16", "encapsulation": mode} for at, mode in enumerate(modes)
    ]
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    shared = {**here, "calico_ip_pools": pools, "cloud_metadata": "never"}
    inventory = folder / "inventory.yml"
    local = {"hosts": {"localhost": here}}
    inventory.write_text(yaml.safe_dump({"calico_nodes": {"hosts": hosts, "vars": shared}, "ungrouped": local}))
    return subprocess.run(
        [programs.find("ansible-playbook"), "-i", str(inventory), f"podnet.calico.{book}", *arguments],
        cwd=ROOT,  # for its ansible.cfg
        env={**CLEAN, **NOWHERE, **KEYS, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_cloud_gets_what_its_modes_need_and_it_is_taken_back(
    cloud: Ec2, neutron: OpenStack, azure: Azure, google: Google, tmp_path: Path
) -> None:
    # What is for all machines of a cloud is taken from the first host, whichever cloud that is in.
    shared = {
        "cloud_aws_endpoint_url": cloud.url,
        "cloud_azure_endpoint_url": azure.url,
        "cloud_google_endpoint_url": google.api,
    }
    at = {**shared, "calico_node_address": ADDRESSES[0]}
    amazon = {"instance_id": cloud.instances[0], "cloud_region": REGION}
    hosts: Hosts = {
        "aws1": {**at, **amazon, **dmi(tmp_path, {"sys_vendor": "Amazon EC2"})},
        "azure1": {**at, "cloud_instance": machine_id("node1"), **dmi(tmp_path, AZURE)},
        "google1": {
            **at,
            "cloud_instance": instance_id("node1"),
            **dmi(tmp_path, {"product_name": "Google Compute Engine"}),
        },
        "openstack1": {**at, "cloud_platform": "openstack"},
        "openstack2": {**at, "calico_node_address": ADDRESSES[1], "cloud_platform": "openstack"},
    }
    environment = {**neutron.environment(), **azure.environment(), **google.environment()}

    def run(*arguments: str) -> str:
        done = play(tmp_path, hosts, ["None", "VXLAN"], *arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def changed() -> list[list[str]]:
        """Return of each cloud the addresses of the machines that are as the modes need it."""
        states = [
            {at: not check for at, (check, __) in cloud.state().items()},
            {at: on for at, (on, __) in azure.state().items()},
            {at: on for at, (on, __) in google.state().items()},
            {at: pairs == ["10.244.0.0/16"] for at, (pairs, __) in neutron.pairs().items()},
        ]
        return [[at for at, done in state.items() if done] for state in states]

    def rules() -> list[int]:
        return [len(cloud.rules()), len(google.rules), len(neutron.rules)]

    one, two = [ADDRESSES[0]], [*ADDRESSES[:2]]
    # -e gives text.
    as_text = [word for name in ("rules=false", "purge=false", "manage=true") for word in ("-e", f"cloud_{name}")]
    said = run(*as_text, "--limit", "openstack1,google1,localhost")
    assert "warning: VXLAN works on OpenStack if" in said
    assert (changed(), rules()) == ([[], [], one, one], [0, 0, 0])
    said = run()
    assert "aws1: Amazon EC2 (sys_vendor is Amazon EC2)" in said
    assert "information: VXLAN works on OpenStack if" in said
    assert "warning: None works on Azure if IP forwarding is on" in said
    assert changed() == [one, one, one, two]
    vxlan, bgp = (
        (protocol, port, f"podnet.calico: {protocol.upper()} {port} between nodes")
        for protocol, port in (("udp", 4789), ("tcp", 179))
    )
    assert cloud.rules() == {vxlan, bgp}
    assert {source for __, __, source, __ in neutron.opened()} == {"members", "10.244.0.0/16"}
    assert google.opened() == {("udp", ("4789",), "nodes"), ("tcp", ("179",), "nodes"), ("all", (), "10.244.0.0/16")}
    run("-e", "cloud_state=absent", "--limit", "openstack1,localhost")
    assert (changed(), rules()) == ([one, one, one, [ADDRESSES[1]]], [2, 3, 3])
    run("-e", "cloud_state=absent")
    assert (changed(), rules()) == ([[], [], [], []], [0, 0, 0])
    assert cloud.state() == dict.fromkeys(ADDRESSES, (True, {}))
    assert neutron.pairs() == dict.fromkeys(ADDRESSES, ([], []))


def test_unmanaged_the_commands_are_said_and_nothing_is_asked(neutron: OpenStack, tmp_path: Path) -> None:
    hosts = {"openstack1": {"cloud_platform": "openstack"}, "azure1": dmi(tmp_path, AZURE)}
    as_text = [word for name in ("manage", "rules") for word in ("-e", f"cloud_{name}=false")]
    ignored = ("-e", '{"cloud_ignore": ["azure/IPIP"]}')
    done = play(tmp_path, hosts, ["None", "IPIP"], *as_text, *ignored, **neutron.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "openstack port set --allowed-address ip-address=10.244.0.0/16 PORT" in done.stdout
    assert "warning: IPIP does not work on Azure" in done.stdout
    assert neutron.requests == []


def test_azure_refuses_ipip(tmp_path: Path) -> None:
    refused = play(tmp_path, {"node1": dmi(tmp_path, AZURE)}, ["IPIP"])
    assert refused.returncode != 0
    assert "IPIP does not work on Azure" in refused.stdout
    assert "Can work here: VXLAN" in refused.stdout


def test_a_preflight_knows_the_platform_too(tmp_path: Path) -> None:
    report = tmp_path / "verdict.json"
    given = ("-e", "preflight_probe=false", "-e", f"calico_preflight_report={report}")
    hosts = {"node1": dmi(tmp_path, AZURE)}
    refused = play(tmp_path, hosts, ["IPIP"], *given, book="preflight")
    assert refused.returncode != 0
    (found,) = [row for row in json.loads(report.read_text())["findings"] if row["kind"] == "cloud-mode"]
    assert (found["severity"], found["hosts"]) == ("error", ["node1"])
    assert "Azure's network drops IP protocol 4" in found["what"]
    play(tmp_path, hosts, ["IPIP"], *given, "-e", "preflight_cloud=false", book="preflight")
    assert "cloud-mode" not in report.read_text()
