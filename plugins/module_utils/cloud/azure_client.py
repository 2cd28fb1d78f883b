# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's own client of network interfaces, and what its errors mean."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud.azure_plan import TAG, WAS_OFF, Nic
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Step
from ansible_collections.podnet.calico.plugins.module_utils.errors import CloudError, MissingLibrary

AZURE_ERROR: str | None = None
try:
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.network import NetworkManagementClient
except ImportError:
    AZURE_ERROR = traceback.format_exc()

    class AzureError(Exception):  # type: ignore[no-redef]
        """Stands in for Azure's error so that this file imports without it; never raised."""


_PUBLIC = "https://management.azure.com"
_OWN = "Give azure-identity credentials: az login, a managed identity, or AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret"
_REMEDIES = {
    401: f"The credentials are wrong or have expired. {_OWN}",
    403: "Allow Microsoft.Network/networkInterfaces/read and /write, and /join/action of what a NIC is joined to, to "
    "whose credentials are used; docs/cloud.md has the role",
    412: "Somebody else has changed the NIC in this moment; run it again",
}


class Arm:
    """The calls of Azure's Resource Manager that are needed here, in one subscription; url: "" for the public cloud."""

    def __init__(self, subscription: str, url: str) -> None:
        if AZURE_ERROR is not None:
            message = (
                "talk to Azure: Python's azure-identity and azure-mgmt-network are not installed where the module "
                "runs. Install them, or delegate to a host that has them (cloud_host)"
            )
            raise MissingLibrary(message, AZURE_ERROR)
        place = (url or _PUBLIC).rstrip("/")
        with _explained("connect to Azure"):
            self._nics = NetworkManagementClient(
                DefaultAzureCredential(), subscription, base_url=place, credential_scopes=[f"{place}/.default"]
            ).network_interfaces

    def nics(self) -> list[Nic]:
        """Return the NICs of machines in the subscription."""
        with _explained("read the network interfaces"):
            return [_nic(nic) for nic in self._nics.list_all() if nic.virtual_machine]

    def make(self, step: Step) -> None:
        """Make a step."""
        with _explained(f"{step.change.action} {step.change.kind} {step.change.name}"):
            self._forward(**step.arguments)

    def _forward(self, nic: str, on: bool) -> None:
        """Write a NIC as a whole, unless somebody changes it after it was read."""
        words = nic.split("/")
        group, name = words[4], words[8]
        found = self._nics.get(group, name)
        others = {key: value for key, value in (found.tags or {}).items() if key != TAG}
        found.enable_ip_forwarding, found.tags = on, {**others, **({TAG: WAS_OFF} if on else {})}
        self._nics.begin_create_or_update(group, name, found, headers={"If-Match": found.etag}).result()


def _nic(nic: t.Any) -> Nic:
    addresses = (each.private_ip_address for each in nic.ip_configurations or [])
    return Nic(
        nic.id.lower(),
        nic.virtual_machine.id.lower(),
        tuple(address for address in addresses if address),
        bool(nic.enable_ip_forwarding),
        (nic.tags or {}).get(TAG) == WAS_OFF,
    )


@contextlib.contextmanager
def _explained(what: str) -> t.Iterator[None]:
    try:
        yield
    except AzureError as error:
        status = getattr(error, "status_code", None)
        first = str(error).partition("\n")[0].rstrip(".")
        raise CloudError(
            f"{what}: {first}", remedy=_REMEDIES.get(status, "") if status else _OWN, status=status
        ) from error
