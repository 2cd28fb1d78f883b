# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Google's Compute Engine and its tokens on loopback: the real ones cannot be installed.

It knows instances and firewall rules as Google's reference describes them: fingerprints, operations that have to be
waited for, pages, and that only what a refresh can change is changed in a machine that runs.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.podnet.calico.tests.cloud.loopback import Answer, Request, Server

ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
NETWORK = "projects/mine/global/networks/default"
PLACE = "/compute/v1/"
_PAGE = 2
Row = t.Dict[str, t.Any]


def instance_id(name: str) -> str:
    """Return what an instance is called."""
    return f"projects/mine/zones/zone-a/instances/{name}"


def _error(status: int, message: str) -> Answer:
    return status, {"error": {"code": status, "message": message, "errors": [{"message": message}]}}, {}


class Google(Server):
    """Compute Engine, and what a test asks of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.api = f"{self.url}{PLACE}"
        self.instances: dict[str, Row] = {}
        self.rules: dict[str, Row] = {}
        self.denied: tuple[str, ...] = ()
        self._pending: dict[str, Row] = {}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = serialization.NoEncryption()
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
        account = {"type": "service_account", "project_id": "mine", "private_key_id": "1", "private_key": secret}
        account.update(client_email="operator@mine", client_id="1", token_uri=f"{self.url}/token")
        self.account = folder / "account.json"
        self.account.write_text(json.dumps(account))

    def fresh(self) -> None:
        """Have three instances with one network tag."""
        self.instances, self.rules, self.denied = {}, {}, ()
        self.requests.clear()
        for number, address in enumerate(ADDRESSES, 1):
            nic = {"networkIP": address, "network": f"https://www.googleapis.com/compute/v1/{NETWORK}", "name": "nic0"}
            self.instances[instance_id(f"node{number}")] = {
                "name": f"node{number}",
                "canIpForward": False,
                "labels": {"owner": "somebody"},
                "labelFingerprint": "a",
                "fingerprint": "a",
                "tags": {"items": ["nodes"]},
                "machineType": "small",
                "networkInterfaces": [nic],
            }

    def environment(self) -> dict[str, str]:
        """Return the variable by which google-auth finds its account."""
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(self.account)}

    def state(self) -> dict[str, tuple[bool, Row]]:
        """Return canIpForward and labels of all instances, by address."""
        return {
            each["networkInterfaces"][0]["networkIP"]: (each["canIpForward"], each["labels"])
            for each in self.instances.values()
        }

    def opened(self) -> set[tuple[str, tuple[str, ...], str]]:
        """Return protocol, ports and source of our rules."""
        return {
            (
                rule["allowed"][0]["IPProtocol"],
                tuple(rule["allowed"][0].get("ports", [])),
                *rule.get("sourceTags", []),
                *rule.get("sourceRanges", []),
            )
            for rule in self.rules.values()
            if rule["description"].startswith("podnet.calico: ") and rule["targetTags"] == ["nodes"]
        }

    def add_rule(self, **given: t.Any) -> Row:
        """Return a new rule of somebody else's."""
        url = f"https://www.googleapis.com/compute/v1/{NETWORK}"
        rule = {"name": f"theirs-{len(self.rules)}", "description": "", "network": url, "direction": "INGRESS", **given}
        self.rules[str(rule["name"])] = rule
        return rule

    def answer(self, request: Request) -> Answer:
        """Answer as the endpoint of tokens or as Compute Engine."""
        if request.path == "/token":
            return 200, {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}, {}
        if request.headers.get("Authorization") != "Bearer token":
            return _error(401, "Request had invalid authentication credentials.")
        if request.method in self.denied:
            return _error(403, "Required permission is missing.")
        path = request.path[len(PLACE) :]
        if "/operations/" in path:
            return 200, self._pending.pop(path.split("/")[-2]), {}
        if path.startswith("projects/mine/global/firewalls"):
            return self._firewalls(request, path.split("/")[4:])
        name = path.replace("/setLabels", "")
        if name not in self.instances:
            return _error(404, f"The resource '{path}' was not found")
        return self._instance(self.instances[name], request)

    def _operation(self) -> Answer:
        name = f"operation-{len(self.requests)}"
        self._pending[name] = {"name": name, "status": "DONE"}
        return 200, {"name": name, "status": "RUNNING"}, {}

    def _instance(self, found: Row, request: Request) -> Answer:
        if request.method == "GET":
            return 200, found, {}
        mark = "labelFingerprint" if request.method == "POST" else "fingerprint"
        if request.body[mark] != found[mark]:
            return _error(412, "Fingerprint does not match.")
        if request.method == "POST":
            found.update(labels=request.body["labels"], labelFingerprint=f"{len(self.requests)}")
        else:
            fixed = {key: value for key, value in found.items() if key != "canIpForward"}
            if {**request.body, "canIpForward": None} != {**fixed, "canIpForward": None}:
                return _error(400, "The update needs a RESTART.")
            found.update(canIpForward=request.body["canIpForward"])
        found["fingerprint"] = f"{len(self.requests)}"
        return self._operation()

    def _firewalls(self, request: Request, words: list[str]) -> Answer:
        if request.method == "GET":
            rules = list(self.rules.values())
            start = int(request.query.get("pageToken", ["0"])[0])
            more = {"nextPageToken": str(start + _PAGE)} if len(rules) > start + _PAGE else {}
            return 200, {"items": rules[start : start + _PAGE], **more}, {}
        if request.method == "DELETE":
            return self._operation() if self.rules.pop(words[0], None) else _error(404, "not found")
        if request.body["name"] in self.rules:
            return _error(409, "The resource already exists")
        self.add_rule(**{**request.body, "network": f"https://www.googleapis.com/compute/v1/{request.body['network']}"})
        return self._operation()
