# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for OpenStack's Keystone and Neutron on loopback: the real ones need databases and a queue.

It knows ports, tags and rules of security groups as Neutron's reference describes them, as far as openstacksdk is made
to ask for them here: filters, pairs that get the port's MAC, revisions with If-Match, rules that are there already.
"""

from __future__ import annotations

import itertools
import typing as t
import uuid

from ansible_collections.podnet.calico.tests.cloud.loopback import Answer, Request, Server

ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
USER, PASSWORD = "operator", "not-secret"
_SAME = ("security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max")
_OTHER = ("remote_group_id", "remote_ip_prefix")
Row = t.Dict[str, t.Any]


def problem(status: int, kind: str, message: str) -> Answer:
    """Return what Neutron says to what it refuses."""
    return status, {"NeutronError": {"type": kind, "message": message, "detail": ""}}, {}


class OpenStack(Server):
    """Keystone and Neutron, and what a test asks of them."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self.ports: dict[str, Row] = {}
        self.rules: dict[str, Row] = {}
        self.servers: list[str] = []
        self.group = ""
        self.foreign = False
        self.full: Answer | None = None

    def fresh(self) -> None:
        """Have three servers with one port each, and a security group of theirs."""
        self.ports, self.rules, self.foreign, self.full = {}, {}, False, None
        self.requests.clear()
        self.group = self._id()
        self.servers = [self._id() for __ in ADDRESSES]
        for server, address in zip(self.servers, ADDRESSES):
            self.add_port(server, address)

    def _id(self) -> str:
        return str(uuid.UUID(int=next(self._numbers)))

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that openstacksdk finds the cloud by."""
        scope = {"OS_PROJECT_NAME": "mine", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}
        user = {"OS_AUTH_URL": f"{self.url}/v3", "OS_USERNAME": USER, "OS_PASSWORD": PASSWORD}
        return {**user, **scope, "OS_REGION_NAME": "RegionOne", **more}

    def add_port(self, server: str, address: str, **more: t.Any) -> str:
        """Return the id of a new port."""
        name = self._id()
        self.ports[name] = {
            "id": name,
            "device_id": server,
            "mac_address": f"fa:16:3e:00:00:{next(self._numbers):02x}",
            "fixed_ips": [{"ip_address": address, "subnet_id": "subnet"}],
            "allowed_address_pairs": [],
            "port_security_enabled": True,
            "security_groups": [self.group],
            "tags": [],
            "revision_number": 1,
            **more,
        }
        return name

    def port_at(self, address: str) -> Row:
        """Return the port with an address."""
        return next(port for port in self.ports.values() if port["fixed_ips"][0]["ip_address"] == address)

    def pairs(self) -> dict[str, tuple[list[str], list[str]]]:
        """Return the ranges of the pairs and the tags of all ports, by address."""
        return {
            port["fixed_ips"][0]["ip_address"]: (
                [pair["ip_address"] for pair in port["allowed_address_pairs"]],
                sorted(port["tags"]),
            )
            for port in self.ports.values()
        }

    def opened(self, group: str = "") -> set[tuple[str | None, int | None, str, str]]:
        """Return protocol, port, source and description of a group's rules."""
        return {
            (
                rule["protocol"],
                rule["port_range_min"],
                "members" if rule["remote_group_id"] == rule["security_group_id"] else rule["remote_ip_prefix"] or "",
                rule["description"],
            )
            for rule in self.rules.values()
            if rule["security_group_id"] == (group or self.group)
        }

    def add_rule(self, **given: t.Any) -> Row:
        """Return a new rule, as it is stored."""
        rule: Row = {
            "id": self._id(),
            "security_group_id": self.group,
            "direction": "ingress",
            "ethertype": "IPv4",
            "description": "",
            **dict.fromkeys(("protocol", "port_range_min", "port_range_max", *_OTHER)),
            **given,
        }
        self.rules[rule["id"]] = rule
        return rule

    def answer(self, request: Request) -> Answer:
        """Answer as Keystone or Neutron."""
        if request.path.startswith("/v3"):
            return self._keystone(request)
        if request.headers.get("X-Auth-Token") != "token":
            return 401, {"error": {"message": "Authentication required", "code": 401}}, {}
        words = request.path.strip("/").split("/")[1:]  # v2.0 comes first
        if words[:1] == ["ports"]:
            return self._ports(request, words[1:])
        if words[:1] == ["security-group-rules"]:
            return self._rules(request, words[1:])
        return problem(404, "HTTPNotFound", f"there is no {request.path}")

    def _keystone(self, request: Request) -> Answer:
        if request.method == "GET":
            link = [{"rel": "self", "href": f"{self.url}/v3/"}]
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": link}}, {}
        user = request.body["auth"]["identity"]["password"]["user"]
        if (user["name"], user["password"]) != (USER, PASSWORD):
            message = "The request you have made requires authentication."
            return 401, {"error": {"message": message, "code": 401, "title": "Unauthorized"}}, {}
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": self.url, "id": "1"}
        catalog = [{"type": "network", "name": "neutron", "id": "2", "endpoints": [endpoint]}]
        times = {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2100-01-01T00:00:00.000000Z"}
        names = {"user": {"id": "u", "name": USER}, "project": {"id": "p", "name": "mine"}, "roles": []}
        return (
            201,
            {"token": {**times, **names, "methods": ["password"], "catalog": catalog}},
            {"X-Subject-Token": "token"},
        )

    def _ports(self, request: Request, words: list[str]) -> Answer:
        if not words:
            return 200, {"ports": [port for port in self.ports.values() if self._asked(port, request.query)]}, {}
        port = self.ports.get(words[0])
        if port is None:
            return problem(404, "PortNotFound", f"Port {words[0]} could not be found.")
        if words[1:2] == ["tags"]:
            return self._tag(port, request.method, words[2:])
        if request.method == "PUT":
            return self._update(port, request)
        return 200, {"port": port}, {}

    def _tag(self, port: Row, method: str, words: list[str]) -> Answer:
        """Add or delete one tag; one with a slash, which many web servers take for two words, is not found."""
        if len(words) != 1 or (method == "DELETE" and words[0] not in port["tags"]):
            return problem(404, "TagNotFound", f"Tag {'/'.join(words)} could not be found.")
        port["tags"] = [*(tag for tag in port["tags"] if tag != words[0]), *(words if method == "PUT" else [])]
        port["revision_number"] += 1
        return (201, None, {}) if method == "PUT" else (204, None, {})

    def _asked(self, port: Row, query: dict[str, list[str]]) -> bool:
        fixed = [f"ip_address={pair['ip_address']}" for pair in port["fixed_ips"]]
        return all(
            set(values) & set(fixed if key == "fixed_ips" else [port[key]])
            for key, values in query.items()
            if key in ("fixed_ips", "device_id")
        )

    def _update(self, port: Row, request: Request) -> Answer:
        if self.foreign:
            return problem(
                403, "PolicyNotAuthorized", "(rule:update_port:allowed_address_pairs) is disallowed by policy"
            )
        match = request.headers.get("If-Match", "")
        if match and match != f"revision_number={port['revision_number']}":
            return problem(412, "RevisionNumberConstraintFailed", "Constrained to another revision")
        pairs = request.body["port"]["allowed_address_pairs"]
        port["allowed_address_pairs"] = [{"mac_address": port["mac_address"], **pair} for pair in pairs]
        port["revision_number"] += 1
        return 200, {"port": port}, {}

    def _rules(self, request: Request, words: list[str]) -> Answer:
        if request.method == "DELETE":
            found = self.rules.pop(words[0], None)
            return (204, None, {}) if found else problem(404, "SecurityGroupRuleNotFound", "no such rule")
        if request.method == "POST":
            if self.full:
                return self.full
            given = request.body["security_group_rule"]
            for rule in self.rules.values():
                if all(rule[key] == given.get(key, None) for key in (*_SAME, *_OTHER)):
                    message = f"Security group rule already exists. Rule id is {rule['id']}."
                    return problem(409, "SecurityGroupRuleExists", message)
            return 201, {"security_group_rule": self.add_rule(**given)}, {}
        asked = {key: values[0] for key, values in request.query.items() if key in ("security_group_id", "direction")}
        rows = [rule for rule in self.rules.values() if all(rule[key] == value for key, value in asked.items())]
        return 200, {"security_group_rules": rows}, {}
