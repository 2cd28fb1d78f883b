# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Azure's Resource Manager and its managed identities on loopback: the real ones cannot be installed.

It knows NICs as Azure's reference describes them: the list of a subscription, ETags with If-Match, and writing as a
whole, so that what a client leaves out is lost. It speaks TLS, without which Azure's client sends no token.
"""

from __future__ import annotations

import copy
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.cloud.loopback import Answer, Request, Server, certificate

ADDRESSES = ("10.0.0.11", "10.0.0.12", "10.0.0.13")
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
_NICS = "providers/Microsoft.Network/networkInterfaces"
_ONE = re.compile(rf"/subscriptions/[^/]+/resourceGroups/([^/]+)/{_NICS}/([^/]+)", re.IGNORECASE)
Row = t.Dict[str, t.Any]


def machine_id(name: str, group: str = "Mine") -> str:
    """Return the resource id of a machine."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message}}, {}


class Azure(Server):
    """Resource Manager, and what a test asks of it."""

    def __init__(self, folder: Path) -> None:
        self.ca = certificate(folder)
        super().__init__(self.ca)
        self.nics: dict[str, Row] = {}
        self.denied: tuple[str, ...] = ()

    def fresh(self) -> None:
        """Have three machines with one NIC each."""
        self.nics, self.denied = {}, ()
        self.requests.clear()
        for number, address in enumerate(ADDRESSES, 1):
            self.add_nic(f"node{number}", f"node{number}-nic", address)

    def environment(self) -> dict[str, str]:
        """Return the variables by which azure-identity finds a managed identity, and this server is trusted."""
        identity = {"IDENTITY_ENDPOINT": f"{self.url}/token", "IDENTITY_HEADER": "secret"}
        return {**identity, "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "REQUESTS_CA_BUNDLE": str(self.ca)}

    def add_nic(self, machine: str, name: str, address: str) -> Row:
        """Return a new NIC."""
        configuration = {"name": "first", "properties": {"privateIPAddress": address, "primary": True}}
        nic: Row = {
            "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MINE/{_NICS}/{name}",
            "name": name,
            "location": "westeurope",
            "tags": {"owner": "somebody"},
            "etag": 'W/"1"',
            "properties": {
                "provisioningState": "Succeeded",
                "enableIPForwarding": False,
                "enableAcceleratedNetworking": True,
                "somethingNewer": {"kept": True},
                "ipConfigurations": [configuration],
                "networkSecurityGroup": {"id": "/a/group"},
                "virtualMachine": {"id": machine_id(machine)},
            },
        }
        self.nics[name] = nic
        return nic

    def state(self) -> dict[str, tuple[bool, dict[str, str]]]:
        """Return IP forwarding and tags of all NICs, by address."""
        return {
            nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]: (
                nic["properties"]["enableIPForwarding"],
                nic["tags"],
            )
            for nic in self.nics.values()
        }

    def answer(self, request: Request) -> Answer:
        """Answer as the identity's endpoint or as Resource Manager."""
        if request.path == "/token":
            scope = request.query["resource"][0]
            given = {"access_token": f"for {scope}", "token_type": "Bearer", "resource": scope}
            return 200, {**given, "expires_on": str(int(time.time()) + 86400)}, {}
        if request.headers.get("Authorization") != f"Bearer for {self.url}":
            return _error(401, "AuthenticationFailed", "Authentication failed.")
        if request.method in self.denied:
            return _error(403, "AuthorizationFailed", "The client does not have authorization to perform the action.")
        one = _ONE.fullmatch(request.path)
        if not one:
            return 200, {"value": list(self.nics.values())}, {}
        nic = self.nics.get(one[2])
        if nic is None:
            return _error(404, "ResourceNotFound", f"The Resource {one[2]} was not found.")
        return self._put(nic, request) if request.method == "PUT" else (200, nic, {})

    def _put(self, nic: Row, request: Request) -> Answer:
        if request.headers.get("If-Match") not in (None, nic["etag"]):
            return _error(412, "PreconditionFailed", "Precondition failed.")
        written = {**copy.deepcopy(request.body), "etag": f'W/"{len(self.requests)}"'}
        # What only Azure writes, whatever a client sends.
        written.update({key: nic[key] for key in ("id", "name")})
        fixed = ("provisioningState", "virtualMachine")
        written["properties"].update({key: nic["properties"][key] for key in fixed})
        self.nics[nic["name"]] = written
        return 200, written, {}
