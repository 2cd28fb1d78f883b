# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of EC2, for what it may answer; tests/cloud asks an imitation of it."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter.clouds import cloud_machines, cloud_modes, cloud_ranges
from ansible_collections.podnet.calico.plugins.module_utils.cloud import aws_plan, needs


def nic(name: str, address: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "NetworkInterfaceId": name,
        "Attachment": {"InstanceId": "i-1"},
        "PrivateIpAddresses": [{"PrivateIpAddress": address}],
        "SourceDestCheck": True,
        "TagSet": [],
        "Groups": [{"GroupId": "sg-1"}],
        **more,
    }


@pytest.mark.parametrize(
    ("modes", "bgp", "direct", "open_"),
    [
        (["VXLAN"], "auto", False, [("udp", 4789)]),
        (["VXLAN"], "enabled", False, [("udp", 4789), ("tcp", 1179)]),
        (["VXLANCrossSubnet"], "auto", True, [("udp", 4789)]),
        (["IPIP"], "auto", False, [("4", None), ("tcp", 1179)]),
        (["None"], "disabled", True, []),
    ],
)
def test_what_modes_need(modes: list[str], bgp: str, direct: bool, open_: list[t.Any]) -> None:
    assert needs.wanted(modes, bgp, 1179) == needs.Wanted(direct, tuple(open_))


def test_a_secondary_address_of_an_interface_counts_and_other_kinds_of_interfaces_do_not() -> None:
    pair = [{"PrivateIpAddress": "192.0.2.10"}, {"PrivateIpAddress": "192.0.2.11"}]
    found = [
        nic("eni-1", "192.0.2.10", PrivateIpAddresses=pair),
        nic("eni-2", "192.0.2.12"),
        nic("eni-3", "192.0.2.11", InterfaceType="branch"),
    ]
    chosen = aws_plan.carrying(found, {"i-1": ["192.0.2.11"]})
    assert [each["NetworkInterfaceId"] for each in chosen["i-1"]] == ["eni-1"]


def rule(protocol: str, first: int | None = None, last: int | None = None, group: str = "sg-1") -> dict[str, t.Any]:
    ports = {} if first is None else {"FromPort": first, "ToPort": last}
    return {"IpProtocol": protocol, "UserIdGroupPairs": [{"GroupId": group}], **ports}


@pytest.mark.parametrize(
    ("existing", "missing"),
    [
        (rule("-1"), []),
        (rule("udp", 4789, 4789), ["rule sg-1 IP protocol 4"]),
        (rule("udp", 1, 4788), ["rule sg-1 IP protocol 4", "rule sg-1 UDP 4789"]),
        (rule("-1", group="sg-2"), ["rule sg-1 IP protocol 4", "rule sg-1 UDP 4789"]),
        (rule("4", -1, -1), ["rule sg-1 UDP 4789"]),
    ],
)
def test_only_what_no_rule_lets_pass_is_added(existing: dict[str, t.Any], missing: list[str]) -> None:
    steps = aws_plan.add_rules({"GroupId": "sg-1", "IpPermissions": [existing]}, [("4", None), ("udp", 4789)])
    assert [f"{step.change.kind} {step.change.name}" for step in steps] == missing


def test_of_a_rule_with_several_sources_only_ours_is_taken_out() -> None:
    ours = {"GroupId": "sg-1", "UserId": "1", "Description": "podnet.calico: UDP 4789 between nodes"}
    both = {**rule("udp", 4789, 4789), "UserIdGroupPairs": [{"GroupId": "sg-2", "Description": "mine"}, ours]}
    (step,) = aws_plan.drop_rules([{"GroupId": "sg-1", "IpPermissions": [both, rule("-1")]}])
    assert step.arguments["IpPermissions"] == [
        {"IpProtocol": "udp", "FromPort": 4789, "ToPort": 4789, "UserIdGroupPairs": [ours]}
    ]


def test_the_tag_is_written_before_and_deleted_after_the_change() -> None:
    noted = [{"Key": aws_plan.TAG, "Value": aws_plan.WAS_ON}]
    off = aws_plan.switch_off({"i-1": [nic("eni-1", "192.0.2.11")]})
    back = aws_plan.restore({"i-1": [nic("eni-1", "192.0.2.11", SourceDestCheck=False, TagSet=noted)]})
    modify = "modify_network_interface_attribute"
    assert [step.method for step in (*off, *back)] == ["create_tags", modify, modify, "delete_tags"]


NOTED = [{"Key": aws_plan.TAG, "Value": aws_plan.WAS_ON}]
SWITCH, NOTE, FORGET = "modify_network_interface_attribute", "create_tags", "delete_tags"


@pytest.mark.parametrize(
    ("is_on", "tags", "off", "back"),
    [
        (True, [], [NOTE, SWITCH], []),
        (False, [], [], []),  # somebody else has switched it off
        (True, NOTED, [SWITCH], [FORGET]),  # a run died after the note
        (False, NOTED, [], [SWITCH, FORGET]),
        (False, [{"Key": aws_plan.TAG, "Value": "by hand"}], [], []),
    ],
)
def test_a_check_is_switched_on_again_only_where_we_have_switched_it_off(
    is_on: bool, tags: list[dict[str, str]], off: list[str], back: list[str]
) -> None:
    chosen = {"i-1": [nic("eni-1", "192.0.2.11", SourceDestCheck=is_on, TagSet=tags)]}
    assert [step.method for step in aws_plan.switch_off(chosen)] == off
    assert [step.method for step in aws_plan.restore(chosen)] == back


def host(metadata: dict[str, str] | None, **place: str) -> dict[str, t.Any]:
    return {"cloud_found": {"platform": "aws", "metadata": metadata}, "cloud_place": place}


def test_instances_are_those_of_the_inventory_or_of_the_metadata_by_region() -> None:
    variables = {
        "a": host({"instance": "i-1", "region": "eu-central-1"}, address="192.0.2.11/24"),
        "b": host(None, instance="i-2", region="us-east-1"),
        "c": {"cloud_found": {"platform": "metal", "metadata": None}},
    }
    assert cloud_machines(variables, ["a", "b", "c"], "aws") == [
        {"region": "eu-central-1", "machines": [{"id": "i-1", "addresses": ["192.0.2.11/24"]}]},
        {"region": "us-east-1", "machines": [{"id": "i-2", "addresses": []}]},
    ]


def test_an_instance_that_nobody_knows_is_asked_for() -> None:
    with pytest.raises(AnsibleFilterError, match="Set cloud_instance"):
        cloud_machines({"a": host(None)}, ["a"], "aws")


def test_a_server_of_openstack_is_found_by_its_address_too() -> None:
    found = {"cloud_found": {"platform": "openstack", "metadata": None}, "cloud_place": {"address": "192.0.2.11"}}
    assert cloud_machines({"a": found}, ["a"], "openstack") == [
        {"region": "", "machines": [{"id": "", "addresses": ["192.0.2.11"]}]}
    ]
    with pytest.raises(AnsibleFilterError, match="its instance of OpenStack is not known"):
        cloud_machines({"a": {**found, "cloud_place": {}}}, ["a"], "openstack")


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("azure", "/subscriptions/mine/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1"),
        ("google", "projects/mine/zones/zone-a/instances/vm-1"),
    ],
)
def test_a_machine_may_be_known_by_its_place_and_name(platform: str, name: str) -> None:
    known = {"instance": "1", "region": "west", "zone": "zone-a", "project": "mine", "group": "rg", "name": "vm-1"}
    found = {"cloud_found": {"platform": platform, "metadata": known}}
    (entry,) = cloud_machines({"a": found}, ["a"], platform)
    assert entry == {"region": "", "machines": [{"id": name, "addresses": []}]}
    with pytest.raises(AnsibleFilterError, match="Set cloud_instance"):
        found["cloud_found"]["metadata"] = {**known, "name": ""}
        cloud_machines({"a": found}, ["a"], platform)


def test_the_modes_are_those_of_all_pools() -> None:
    pools = [
        {"name": "four", "cidr": "10.244.0.0/16", "encapsulation": "IPIP"},
        {"name": "six", "cidr": "fd00::/48", "encapsulation": "VXLAN"},
    ]
    assert cloud_modes(pools) == ["IPIP", "VXLAN"]


def test_ranges_are_those_of_pools_that_are_not_encapsulated_everywhere() -> None:
    modes = ("IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet", "None")
    pools = [
        {"name": f"p{number}", "cidr": f"10.{number}.0.0/16", "encapsulation": mode}
        for number, mode in enumerate(modes, 1)
    ]
    assert cloud_ranges(pools) == ["10.2.0.0/16", "10.4.0.0/16", "10.5.0.0/16"]
