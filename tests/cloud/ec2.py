# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon EC2 as moto imitates it, behind a real HTTP server on loopback, with a few instances."""

from __future__ import annotations

import inspect
import json
import typing as t
import urllib.request

import boto3
from moto.ec2.models import security_groups
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
KEYS = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "test"}
PORTS = ("tcp", "udp", "icmp", "icmpv6", "6", "17", "1", "58", "-1")
# How many requests moto answers without a look at policies.
_ALWAYS = "inf"


def accept_protocols_without_ports() -> None:
    """Have moto take rules for IP protocol 4, which has no ports, as the real EC2 does; alone it fails."""
    original = security_groups.SecurityGroupRule.__init__
    signature = inspect.signature(original)

    def init(self: t.Any, *args: t.Any, **options: t.Any) -> None:
        bound = signature.bind(self, *args, **options)
        for end in ("from_port", "to_port"):
            if bound.arguments.get(end) is None:
                bound.arguments[end] = -1
        portless = bound.arguments["from_port"] == -1 and str(bound.arguments["ip_protocol"]) not in PORTS
        original(*bound.args, **bound.kwargs)
        if portless:
            self.from_port = self.to_port = None

    security_groups.SecurityGroupRule.__init__ = init  # type: ignore[method-assign]


class Ec2:
    """A server, and what a test asks of it."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.client = self._client("ec2")
        self._iam = self._client("iam")
        self.group = self.vpc = self.subnet = self._image = ""
        self._made = 0
        self.instances: list[str] = []

    def _client(self, service: str) -> t.Any:
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **KEYS)

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def _post(self, path: str, text: str = "") -> None:
        plain = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", text.encode(), plain, method="POST")  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310

    def fresh(self) -> None:
        """Make three instances with a security group, in a VPC with one subnet; what was before has nothing of it."""
        self.unguarded()
        self.vpc = self.client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.client.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        # Once: it takes moto a second of processor time.
        self._image = self._image or self.client.describe_images()["Images"][0]["ImageId"]
        self.group = self.new_group("nodes")
        self.instances = [self._run(address) for address in ADDRESSES]

    def _run(self, address: str) -> str:
        nic = {"DeviceIndex": 0, "SubnetId": self.subnet, "Groups": [self.group], "PrivateIpAddress": address}
        made = self.client.run_instances(ImageId=self._image, MinCount=1, MaxCount=1, NetworkInterfaces=[nic])
        return str(made["Instances"][0]["InstanceId"])

    def interfaces(self) -> list[dict[str, t.Any]]:
        """Return the interfaces of the instances."""
        only = [{"Name": "attachment.instance-id", "Values": self.instances}]
        found: list[dict[str, t.Any]] = self.client.describe_network_interfaces(Filters=only)["NetworkInterfaces"]
        return found

    def new_group(self, name: str) -> str:
        """Return the id of a new security group."""
        self._made += 1
        name = f"{name}{self._made}"
        group = self.client.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(group["GroupId"])

    def add_interface(self, instance: str, address: str) -> str:
        """Return the id of a second interface of an instance."""
        made = self.client.create_network_interface(
            SubnetId=self.subnet, PrivateIpAddress=address, Groups=[self.group]
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.client.attach_network_interface(NetworkInterfaceId=made, InstanceId=instance, DeviceIndex=1)
        return str(made)

    def state(self) -> dict[str, tuple[bool, dict[str, str]]]:
        """Return the check and the tags of all interfaces that are attached to instances, by address."""
        return {
            nic["PrivateIpAddress"]: (nic["SourceDestCheck"], {tag["Key"]: tag["Value"] for tag in nic["TagSet"]})
            for nic in self.interfaces()
        }

    def rules(self, group: str = "") -> set[tuple[str, int | None, str]]:
        """Return protocol, port and description of a group's rules for its own members."""
        found = self.client.describe_security_groups(GroupIds=[group or self.group])["SecurityGroups"][0]
        return {
            (rule["IpProtocol"], rule.get("FromPort"), pair.get("Description", ""))
            for rule in found["IpPermissions"]
            for pair in rule["UserIdGroupPairs"]
            if pair["GroupId"] == found["GroupId"]
        }

    def user(self, policy: t.Mapping[str, t.Any]) -> dict[str, str]:
        """Return the variables with the keys of a user who has a policy; from now on EC2 looks at policies."""
        name = f"user-of-{self.group}"
        self._iam.create_user(UserName=name)
        self._iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        self._post("reset-auth", "0")
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def unguarded(self) -> None:
        """Have EC2 look at no policies again."""
        self._post("reset-auth", _ALWAYS)
