# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module against EC2: what modes need, check mode, repetition, removal, what is denied, what others did."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.cloud.conftest import Result, RunModule
from ansible_collections.podnet.calico.tests.cloud.ec2 import ADDRESSES, REGION, Ec2

NAME = "calico_aws_source_dest_check"
NOTED = {"podnet.calico/source-dest-check": "enabled"}
IPIP = ("4", None, "podnet.calico: IP protocol 4 between nodes")
VXLAN = ("udp", 4789, "podnet.calico: UDP 4789 between nodes")
BGP = ("tcp", 179, "podnet.calico: TCP 179 between nodes")
POLICY = re.compile(r"```json\n(.*?)```", re.DOTALL)


def options(cloud: Ec2, *modes: str, **more: t.Any) -> Result:
    instances = [{"id": each, "addresses": [f"{at}/24"]} for each, at in zip(cloud.instances, ADDRESSES)]
    chosen = {"encapsulations": list(modes)} if modes else {"state": "absent"}
    return {"instances": instances, "region": REGION, "endpoint_url": cloud.url, **chosen, **more}


@pytest.fixture
def converge(run_module: RunModule) -> RunModule:
    """Return a function that runs the module as it has to be: check mode predicts it, a second run is unchanged."""

    def run(params: Result) -> Result:
        predicted = run_module(NAME, params, check=True)
        done = run_module(NAME, params)
        assert not done.get("failed"), done
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        assert run_module(NAME, params)["changed"] is False
        return done

    return run


@pytest.mark.parametrize(
    ("modes", "check", "rules"),
    [
        (["None"], False, {BGP}),
        (["IPIP"], True, {IPIP, BGP}),
        (["IPIPCrossSubnet"], False, {IPIP, BGP}),
        (["VXLAN"], True, {VXLAN}),
        (["VXLANCrossSubnet"], False, {VXLAN}),
        (["IPIP", "VXLANCrossSubnet"], False, {IPIP, VXLAN, BGP}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_each_mode_gets_what_it_needs_and_all_is_taken_back(
    cloud: Ec2, converge: RunModule, modes: list[str], check: bool, rules: set[t.Any]
) -> None:
    before = cloud.state()
    converge(options(cloud, *modes))
    assert cloud.state() == dict.fromkeys(ADDRESSES, (check, {} if check else NOTED))
    assert cloud.rules() == rules
    converge(options(cloud))
    assert cloud.state() == before
    assert cloud.rules() == set()


def test_check_mode_changes_nothing_and_the_diff_tells(cloud: Ec2, run_module: RunModule) -> None:
    result = run_module(NAME, options(cloud, "VXLANCrossSubnet"), check=True)
    assert result["changed"]
    assert "source/destination check" in result["diff"]["before"]
    assert '"off"' in result["diff"]["after"] or " off" in result["diff"]["after"]
    assert [row["source_dest_check"] for row in result["interfaces"]] == [False] * 3
    assert {each for each, __ in cloud.state().values()} == {True}
    assert cloud.rules() == set()


def test_only_interfaces_with_a_nodes_address_are_touched(cloud: Ec2, converge: RunModule) -> None:
    cloud.add_interface(cloud.instances[0], "10.0.0.21")
    converge(options(cloud, "None"))
    assert cloud.state()["10.0.0.21"] == (True, {})


def test_without_addresses_all_interfaces_of_the_instance_are(cloud: Ec2, converge: RunModule) -> None:
    cloud.add_interface(cloud.instances[0], "10.0.0.21")
    params = options(cloud, "None")
    for instance in params["instances"]:
        del instance["addresses"]
    converge(params)
    assert cloud.state()["10.0.0.21"] == (False, NOTED)


def test_what_others_switched_off_stays_off(cloud: Ec2, converge: RunModule) -> None:
    nic = next(nic for nic in cloud.interfaces() if nic["PrivateIpAddress"] == ADDRESSES[0])
    cloud.client.modify_network_interface_attribute(
        NetworkInterfaceId=nic["NetworkInterfaceId"], SourceDestCheck={"Value": False}
    )
    converge(options(cloud, "None"))
    assert cloud.state()[ADDRESSES[0]] == (False, {})
    converge(options(cloud))
    assert {at: check for at, (check, __) in cloud.state().items()} == dict(zip(ADDRESSES, (False, True, True)))


def test_rules_of_others_are_enough_and_stay(cloud: Ec2, converge: RunModule) -> None:
    allow = {"IpProtocol": "udp", "FromPort": 4000, "ToPort": 5000}
    pair = {"UserIdGroupPairs": [{"GroupId": cloud.group, "Description": "all of mine"}]}
    cloud.client.authorize_security_group_ingress(GroupId=cloud.group, IpPermissions=[{**allow, **pair}])
    assert converge(options(cloud, "VXLAN"))["changed"] is False
    converge(options(cloud))
    assert cloud.rules() == {("udp", 4000, "all of mine")}


def test_a_change_of_mode_keeps_both_until_it_is_purged(cloud: Ec2, converge: RunModule) -> None:
    converge(options(cloud, "IPIPCrossSubnet"))
    converge(options(cloud, "VXLAN"))
    assert cloud.rules() == {IPIP, BGP, VXLAN}
    assert {check for check, __ in cloud.state().values()} == {False}
    converge(options(cloud, "VXLAN", purge=True))
    assert cloud.rules() == {VXLAN}
    assert set(map(str, cloud.state().values())) == {str((True, {}))}


def test_a_run_that_died_between_note_and_change_is_repeated(cloud: Ec2, converge: RunModule) -> None:
    nics = [nic["id"] for nic in converge(options(cloud, "VXLAN"))["interfaces"]]
    cloud.client.create_tags(Resources=nics[:1], Tags=[{"Key": key, "Value": value} for key, value in NOTED.items()])
    converge(options(cloud, "None"))
    assert cloud.state() == dict.fromkeys(ADDRESSES, (False, NOTED))
    converge(options(cloud))
    assert cloud.state() == dict.fromkeys(ADDRESSES, (True, {}))


def test_several_security_groups_are_refused_until_one_is_named(cloud: Ec2, run_module: RunModule) -> None:
    other = cloud.new_group("others")
    for nic in cloud.interfaces():
        cloud.client.modify_network_interface_attribute(
            NetworkInterfaceId=nic["NetworkInterfaceId"], Groups=[cloud.group, other]
        )
    refused = run_module(NAME, options(cloud, "None"))
    assert refused["failed"]
    assert cloud.group in refused["msg"] and other in refused["msg"]
    assert {check for check, __ in cloud.state().values()} == {True}
    assert run_module(NAME, options(cloud, "None", security_group=other))["changed"]
    assert (cloud.rules(), cloud.rules(other)) == (set(), {BGP})
    assert run_module(NAME, options(cloud))["changed"]
    assert cloud.rules(other) == set()


def test_without_rules_the_group_does_not_matter(cloud: Ec2, run_module: RunModule) -> None:
    assert run_module(NAME, options(cloud, "None", rules=False))["changed"]
    assert cloud.rules() == set()


def test_an_instance_that_is_not_there_is_named_and_nothing_changed(cloud: Ec2, run_module: RunModule) -> None:
    params = options(cloud, "None")
    params["instances"].append({"id": "i-0123456789abcdef0"})
    refused = run_module(NAME, params)
    assert "i-0123456789abcdef0 has no network interface in eu-central-1" in refused["msg"]
    assert {check for check, __ in cloud.state().values()} == {True}


def test_an_instance_that_has_gone_does_not_hinder_removal(cloud: Ec2, run_module: RunModule) -> None:
    assert run_module(NAME, options(cloud, "None"))["changed"]
    params = options(cloud)
    params["instances"].append({"id": "i-0123456789abcdef0"})
    assert run_module(NAME, params)["changed"]
    assert cloud.state() == dict.fromkeys(ADDRESSES, (True, {}))


def documented_policy() -> Result:
    text = (Path(__file__).resolve().parents[2] / "docs" / "cloud.md").read_text(encoding="utf-8")
    found = POLICY.search(text)
    assert found is not None
    return t.cast("Result", json.loads(found[1]))


def judged(policy: Result) -> Result:
    """Return a policy as moto can judge it: it knows actions, but not the resources of EC2."""
    return {**policy, "Statement": [{**statement, "Resource": "*"} for statement in policy["Statement"]]}


def without(policy: Result, action: str) -> Result:
    statements = [
        {**statement, "Action": [each for each in statement["Action"] if each != action]}
        for statement in policy["Statement"]
    ]
    return {**policy, "Statement": [statement for statement in statements if statement["Action"]]}


def test_the_documented_policy_is_enough(cloud: Ec2, run_module: RunModule) -> None:
    keys = cloud.user(judged(documented_policy()))
    for params in (options(cloud, "IPIPCrossSubnet", "VXLAN"), options(cloud)):
        result = run_module(NAME, params, environment=keys)
        assert result.get("changed"), result
    cloud.unguarded()
    assert cloud.state() == dict.fromkeys(ADDRESSES, (True, {}))
    assert cloud.rules() == set()


ACTIONS = [
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:CreateTags",
    "ec2:AuthorizeSecurityGroupIngress",
]
TAKING_BACK = ["ec2:DeleteTags", "ec2:RevokeSecurityGroupIngress"]


@pytest.mark.parametrize("action", [*ACTIONS, *TAKING_BACK])
def test_a_missing_permission_is_named(cloud: Ec2, run_module: RunModule, action: str) -> None:
    if action in TAKING_BACK:
        assert run_module(NAME, options(cloud, "IPIPCrossSubnet"))["changed"]
    keys = cloud.user(without(judged(documented_policy()), action))
    params = options(cloud) if action in TAKING_BACK else options(cloud, "IPIPCrossSubnet")
    for check in (True, False):
        refused = run_module(NAME, params, check=check, environment=keys)
        assert refused.get("failed"), refused
        assert f"Allow the action {action} " in refused["msg"]
        assert refused["failure"]["action"] == action


def test_the_policy_has_no_more_than_that() -> None:
    actions = [action for statement in documented_policy()["Statement"] for action in statement["Action"]]
    assert sorted(actions) == sorted([*ACTIONS, *TAKING_BACK])


@pytest.mark.parametrize(
    ("change", "environment", "says"),
    [
        ({}, {}, "Give boto3 credentials"),
        ({"region": ""}, None, "Give region"),
        ({"profile": "nobody"}, None, "Name a profile"),
        ({"instances": [{"id": "node1"}]}, None, "'node1' is no id of an instance"),
        ({"instances": [{"id": "i-1"}, {"id": "i-1"}]}, None, "i-1 is listed twice"),
    ],
    ids=["credentials", "region", "profile", "id", "twice"],
)
def test_bad_input_is_explained(
    cloud: Ec2, run_module: RunModule, change: Result, environment: dict[str, str] | None, says: str
) -> None:
    refused = run_module(NAME, {**options(cloud, "None"), **change}, environment=environment)
    assert refused["failed"]
    assert says in refused["msg"]


def test_wrong_keys_are_explained(cloud: Ec2, run_module: RunModule) -> None:
    cloud.user(documented_policy())
    refused = run_module(NAME, options(cloud, "None"))
    assert "The credentials are wrong or have expired" in refused["msg"]
