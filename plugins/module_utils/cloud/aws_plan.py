# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of Amazon EC2 so that a mode works, and how to take it back; pure.

What a network interface was before is noted in a tag of ours, written before the interface is changed and deleted after
it is restored, so that a run that dies in between can be repeated.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Step
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

TAG = "podnet.calico/source-dest-check"
WAS_ON = "enabled"
_PAIR = ("GroupId", "Description", "UserId")  # what names the other side of a rule that is revoked

Row = t.Mapping[str, t.Any]
Interfaces = t.Dict[str, t.List[Row]]


def carrying(found: t.Iterable[Row], nodes: t.Mapping[str, t.Collection[str]]) -> Interfaces:
    """Return the interfaces of each instance that carry pods' packets: those with a node's address, or all.

    found: interfaces as DescribeNetworkInterfaces returns them. nodes: instance to addresses, none for all interfaces.
    """
    chosen: Interfaces = {instance: [] for instance in nodes}
    for nic in sorted(found, key=lambda nic: str(nic["NetworkInterfaceId"])):
        instance = nic.get("Attachment", {}).get("InstanceId")
        if instance not in nodes or nic.get("InterfaceType", "interface") not in ("interface", "efa"):
            continue
        own = {pair["PrivateIpAddress"] for pair in nic.get("PrivateIpAddresses", [])}
        if not nodes[instance] or own & set(nodes[instance]):
            chosen[instance].append(nic)
    return chosen


def refuse_missing(chosen: Interfaces, nodes: t.Mapping[str, t.Collection[str]], region: str) -> None:
    """Raise InvalidInput if an instance has no interface."""
    for instance, nics in chosen.items():
        if not nics:
            which = f" with {' or '.join(sorted(nodes[instance]))}" if nodes[instance] else ""
            raise InvalidInput(
                f"{instance} has no network interface{which} in {region}",
                remedy="Look at the instance's id, the region, and the node's address",
            )


def _ours(nic: Row) -> bool:
    return any(tag["Key"] == TAG and tag["Value"] == WAS_ON for tag in nic.get("TagSet", []))


def switch_off(chosen: Interfaces) -> list[Step]:
    """Return the steps that switch the check off wherever it is on, and note that it was."""
    steps = []
    for nic in _all(chosen):
        if not nic["SourceDestCheck"]:
            continue
        if not _ours(nic):
            steps.append(_tag(nic, None, WAS_ON))
        steps.append(_check(nic, on=False))
    return steps


def restore(chosen: Interfaces) -> list[Step]:
    """Return the steps that switch the check on again where we have switched it off, and delete the note."""
    steps = []
    for nic in filter(_ours, _all(chosen)):
        if not nic["SourceDestCheck"]:
            steps.append(_check(nic, on=True))
        steps.append(_tag(nic, WAS_ON, None))
    return steps


def _all(chosen: Interfaces) -> t.Iterator[Row]:
    for instance in sorted(chosen):
        yield from chosen[instance]


def _tag(nic: Row, before: str | None, after: str | None) -> Step:
    name = nic["NetworkInterfaceId"]
    change = Change("tag", f"{name} {TAG}", before, after)
    arguments = {"Resources": [name], "Tags": [{"Key": TAG, "Value": WAS_ON}]}
    return Step(change, "create_tags" if after else "delete_tags", arguments)


def _check(nic: Row, *, on: bool) -> Step:
    name, words = nic["NetworkInterfaceId"], {True: "on", False: "off"}
    instance = nic["Attachment"]["InstanceId"]
    change = Change("source/destination check", f"{name} of {instance}", words[not on], words[on])
    arguments = {"NetworkInterfaceId": name, "SourceDestCheck": {"Value": on}}
    return Step(change, "modify_network_interface_attribute", arguments)


def common_group(chosen: Interfaces, named: str = "") -> str:
    """Return the security group that all interfaces are in; see needs.common_group()."""
    groups = {
        f"{nic['NetworkInterfaceId']} of {nic['Attachment']['InstanceId']}": [
            group["GroupId"] for group in nic.get("Groups", [])
        ]
        for nic in _all(chosen)
    }
    return needs.common_group(groups, named)


def add_rules(group: Row, missing: t.Iterable[tuple[str, int | None]]) -> list[Step]:
    """Return the steps that let the members of a group reach each other, as far as no rule does so already."""
    name = group["GroupId"]
    steps = []
    for protocol, port in missing:
        if not any(_covers(rule, name, protocol, port) for rule in group["IpPermissions"]):
            words = needs.words(protocol, port)
            pair = {"GroupId": name, "Description": f"{needs.MARK}{words} between nodes"}
            permission: dict[str, t.Any] = {"IpProtocol": protocol, "UserIdGroupPairs": [pair]}
            if port is not None:
                permission.update(FromPort=port, ToPort=port)
            change = Change("rule", f"{name} {words}", None, f"from {name}")
            arguments = {"GroupId": name, "IpPermissions": [permission]}
            steps.append(Step(change, "authorize_security_group_ingress", arguments))
    return steps


def drop_rules(groups: t.Iterable[Row], kept: t.Collection[tuple[str, int | None]] = ()) -> list[Step]:
    """Return the steps that take our rules out of groups, but for those that are needed."""
    steps = []
    for group in sorted(groups, key=lambda group: str(group["GroupId"])):
        name = group["GroupId"]
        for rule in group["IpPermissions"]:
            protocol, port = rule["IpProtocol"], _port(rule)
            pairs = [
                pair for pair in rule.get("UserIdGroupPairs", []) if pair.get("Description", "").startswith(needs.MARK)
            ]
            if not pairs or (protocol, port) in kept:
                continue
            permission = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if rule.get(key) is not None}
            permission["UserIdGroupPairs"] = [{key: pair[key] for key in _PAIR if key in pair} for pair in pairs]
            change = Change("rule", f"{name} {needs.words(protocol, port)}", f"from {name}", None)
            arguments = {"GroupId": name, "IpPermissions": [permission]}
            steps.append(Step(change, "revoke_security_group_ingress", arguments))
    return steps


def groups_of(chosen: Interfaces) -> list[str]:
    """Return all security groups that the interfaces are in."""
    return sorted({group["GroupId"] for nic in _all(chosen) for group in nic.get("Groups", [])})


def _port(rule: Row) -> int | None:
    port = rule.get("FromPort")
    return None if port in (None, -1) else int(t.cast(int, port))


def _covers(rule: Row, group: str, protocol: str, port: int | None) -> bool:
    if group not in {pair.get("GroupId") for pair in rule.get("UserIdGroupPairs", [])}:
        return False
    if rule["IpProtocol"] == "-1":
        return True
    if rule["IpProtocol"] != protocol:
        return False
    return port is None or rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)
