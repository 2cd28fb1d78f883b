# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modes work where, and what is said of it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.filter.clouds import cloud_verdict
from ansible_collections.podnet.calico.plugins.module_utils.cloud import table
from ansible_collections.podnet.calico.plugins.module_utils.cloud.judge import judge
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

POOLS = ["10.244.0.0/16"]
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "cloud.md"


def hosts(platform: str, count: int = 2, **metadata: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return what is found on hosts of one platform; with metadata if some is given."""
    found = {"platform": platform, "evidence": "so it is", "confirmed": bool(metadata), "metadata": metadata or None}
    return {f"{platform}{number}": found for number in range(1, count + 1)}


@pytest.mark.parametrize(
    ("platform", "mode", "works"),
    [
        ("azure", "IPIP", table.NO),
        ("azure", "IPIPCrossSubnet", table.NO),
        ("azure", "VXLAN", table.IF),
        ("aws", "None", table.IF),
        ("aws", "IPIPCrossSubnet", table.IF),
        ("vmware", "VXLANCrossSubnet", table.IF),
        ("vmware", "IPIP", table.YES),
        ("equinix", "VXLANCrossSubnet", table.YES),
        ("equinix", "None", table.IF),
        ("metal", "None", table.YES),
    ],
)
def test_a_mode_works_as_well_as_the_worst_of_its_packets(platform: str, mode: str, works: str) -> None:
    found = table.verdict(platform, mode)
    assert found is not None
    assert found.works == works


def test_nothing_is_said_of_an_unknown_platform() -> None:
    assert table.verdict("unknown", "IPIP") is None
    verdict = judge(hosts("unknown"), ["IPIP"], POOLS)
    assert verdict["ok"]
    assert [finding["severity"] for finding in verdict["findings"]] == ["information"]


def test_metal_has_nothing_against_any_mode() -> None:
    verdict = judge(hosts("metal"), table.MODES, POOLS)
    assert (verdict["ok"], verdict["findings"]) == (True, [])
    assert verdict["lines"][-1].startswith("All well")


def test_what_does_not_work_is_an_error_with_what_does() -> None:
    verdict = judge(hosts("azure"), ["IPIP"], POOLS)
    assert not verdict["ok"]
    assert "IPIP does not work on Azure" in verdict["failure"]
    assert "Can work here: VXLAN" in verdict["failure"]
    assert verdict["findings"][0]["hosts"] == ["azure1", "azure2"]


def test_it_can_be_ignored_by_name() -> None:
    verdict = judge(hosts("azure"), ["IPIP"], POOLS, ["azure/IPIP"])
    assert verdict["ok"]
    assert [finding["severity"] for finding in verdict["findings"]] == ["warning"]
    with pytest.raises(InvalidInput, match="azure/GRE is no platform and mode"):
        judge(hosts("azure"), ["IPIP"], POOLS, ["azure/GRE"])


def test_it_can_be_ignored_on_the_command_line() -> None:
    found = {name: {"cloud_found": facts} for name, facts in hosts("azure").items()}
    pools = [{"name": "pods", "cidr": "10.244.0.0/16", "encapsulation": "IPIP"}]
    assert cloud_verdict(found, list(found), pools, "azure/IPIP,")["ok"]
    assert not cloud_verdict(found, list(found), pools, "")["ok"]


def test_what_the_role_looks_after_is_for_information() -> None:
    severities = [
        judge(hosts("aws"), ["VXLANCrossSubnet"], POOLS, managed=managed)["findings"][0]["severity"]
        for managed in ((), ("aws",))
    ]
    assert severities == ["warning", "information"]


@pytest.mark.parametrize(
    ("platform", "mode", "severity", "commands"),
    [
        ("aws", "VXLAN", "warning", []),
        ("aws", "None", "information", []),
        (
            "openstack",
            "VXLAN",
            "warning",
            [
                "openstack security group rule create --protocol udp --dst-port 4789 --remote-group GROUP-OF-NODES "
                "GROUP-OF-NODES"
            ],
        ),
        (
            "openstack",
            "None",
            "warning",
            ["openstack security group rule create --protocol any --remote-ip 10.244.0.0/16 GROUP-OF-NODES"],
        ),
        ("azure", "None", "warning", []),
    ],
)
def test_without_rules_what_takes_some_is_said_with_its_commands(
    platform: str, mode: str, severity: str, commands: list[str]
) -> None:
    (finding,) = judge(hosts(platform), [mode], POOLS, managed=[platform], rules=False)["findings"]
    assert (finding["severity"], finding["commands"]) == (severity, commands)
    (finding,) = judge(hosts(platform), [mode], POOLS, managed=[platform])["findings"]
    assert finding["commands"] == []


def test_what_the_role_does_half_stays_a_warning_without_commands() -> None:
    (finding,) = judge(hosts("azure", 1, group="rg", name="vm-1"), ["None"], POOLS, managed=["azure"])["findings"]
    assert (finding["severity"], finding["commands"]) == ("warning", [])
    assert "the routes are yours" in finding["remedy"]


def test_direct_routes_do_not_cross_the_subnets_of_a_cloud() -> None:
    first = hosts("aws", 1, interfaces=[{"subnet": "subnet-a"}])
    second = {"b": {**first["aws1"], "metadata": {"interfaces": [{"subnet": "subnet-b"}]}}}
    verdict = judge({**first, **second}, ["None"], POOLS, managed=("aws",))
    assert not verdict["ok"]
    assert "2 subnets" in verdict["failure"]
    assert judge({**first, **second}, ["VXLANCrossSubnet"], POOLS, managed=("aws",))["ok"]


def test_hosts_on_several_platforms_are_judged_for_each() -> None:
    verdict = judge({**hosts("azure", 1), **hosts("vmware", 1)}, ["VXLAN"], POOLS)
    assert [finding["kind"] for finding in verdict["findings"]] == ["azure/VXLAN", "vmware/VXLAN"]
    assert "IPIP" not in verdict["able"]


NIC = {"id": "port-1", "subnet": "net-1"}


@pytest.mark.parametrize(
    ("platform", "metadata", "command"),
    [
        ("openstack", {}, "openstack port set --allowed-address ip-address=10.244.0.0/16 port-1"),
        (
            "openstack",
            {},
            "openstack security group rule create --protocol any --remote-ip 10.244.0.0/16 GROUP-OF-NODES",
        ),
        (
            "azure",
            {"group": "rg", "name": "vm-1"},
            "az network nic update --ip-forwarding true --ids $(az vm show -g rg -n vm-1 -o tsv --query "
            "'networkProfile.networkInterfaces[].id')",
        ),
        (
            "google",
            {"name": "vm-1", "project": "p", "zone": "z"},
            "gcloud compute instances update-from-file vm-1 --project=p --zone=z --source=vm-1.yml "
            "--most-disruptive-allowed-action=REFRESH",
        ),
    ],
)
def test_commands_are_exact(platform: str, metadata: dict[str, t.Any], command: str) -> None:
    verdict = judge(hosts(platform, 1, interfaces=[NIC], **metadata), ["None"], POOLS)
    assert command in verdict["findings"][0]["commands"]


def test_commands_for_all_nodes_are_said_once() -> None:
    found = judge(hosts("google", 3, interfaces=[NIC], project="p"), ["VXLAN"], POOLS)["findings"][0]["commands"]
    assert found == [
        "gcloud compute firewall-rules create podnet-calico-nodes --project=p --network=net-1 "
        "--allow=udp:4789,tcp:179 --source-tags=TAG-OF-NODES --target-tags=TAG-OF-NODES"
    ]
    direct = judge(hosts("google", 1, interfaces=[NIC], project="p"), ["None"], POOLS)["findings"][0]["commands"]
    assert direct[1] == (
        "gcloud compute firewall-rules create podnet-calico-pods --project=p --network=net-1 "
        "--allow=all --source-ranges=10.244.0.0/16 --target-tags=TAG-OF-NODES"
    )


def test_the_documents_table_is_current() -> None:
    assert table.markdown() in DOCUMENT.read_text(encoding="utf-8")
