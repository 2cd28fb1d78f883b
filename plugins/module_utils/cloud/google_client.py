# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute Engine's REST interface through google-auth, and what its errors mean."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud.google_plan import (
    LABEL,
    WAS_OFF,
    Instance,
    as_instance,
)
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Machine, Step
from ansible_collections.podnet.calico.plugins.module_utils.errors import CloudError, MissingLibrary

GOOGLE_ERROR: str | None = None
try:
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException
except ImportError:
    GOOGLE_ERROR = traceback.format_exc()

    class GoogleAuthError(Exception):  # type: ignore[no-redef]
        """Stands in for google-auth's error so that this file imports without it; never raised."""

    class RequestException(Exception):  # type: ignore[no-redef]
        """Stands in for requests' error so that this file imports without it; never raised."""


_PUBLIC = "https://compute.googleapis.com/compute/v1"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SECONDS = 150  # an operation is waited for up to two minutes in one request
_OWN = (
    "Give google-auth credentials: gcloud auth application-default login, a service account of this machine, or "
    "GOOGLE_APPLICATION_CREDENTIALS"
)
_REMEDIES = {
    401: f"The credentials are wrong or have expired. {_OWN}",
    403: "Allow that to whose credentials are used; docs/cloud.md has the permissions",
    412: "Somebody else has changed it in this moment; run it again",
}


class Refused(Exception):
    """Compute Engine answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Compute:
    """The calls of Compute Engine that are needed here; url: "" for the public one."""

    def __init__(self, url: str) -> None:
        if GOOGLE_ERROR is not None:
            message = (
                "talk to Google Cloud: Python's google-auth and requests are not installed where the module runs. "
                "Install them (Debian: python3-google-auth, python3-requests), or delegate to a host that has them "
                "(cloud_host)"
            )
            raise MissingLibrary(message, GOOGLE_ERROR)
        self._url = (url or _PUBLIC).rstrip("/")
        with _explained("connect to Google Cloud"):
            credentials, __ = google.auth.default(scopes=[_SCOPE])
            self._session = AuthorizedSession(credentials)

    def instances(self, machines: t.Iterable[Machine]) -> list[Instance]:
        """Return the instances that there are of those named."""
        found = []
        for machine in machines:
            with _explained(f"read instance {machine.id}"):
                try:
                    found.append(as_instance(machine.id, self._ask("GET", machine.id), machine.addresses))
                except Refused as error:
                    if error.status != 404:
                        raise
        return found

    def rules(self, network: str) -> list[dict[str, t.Any]]:
        """Return the firewall rules of a network, which may be another project's."""
        found: list[dict[str, t.Any]] = []
        page = ""
        with _explained(f"read the firewall rules of {network}"):
            while True:
                answer = self._ask("GET", _firewalls(network), {"pageToken": page} if page else {})
                found += [rule for rule in answer.get("items", []) if rule["network"].endswith(network)]
                page = answer.get("nextPageToken", "")
                if not page:
                    return found

    def make(self, step: Step) -> None:
        """Make a step."""
        with _explained(f"{step.change.action} {step.change.kind} {step.change.name}"):
            getattr(self, f"_{step.method}")(**step.arguments)

    def _label(self, instance: str, add: bool) -> None:
        found = self._ask("GET", instance)
        labels = {key: value for key, value in found.get("labels", {}).items() if key != LABEL}
        labels.update({LABEL: WAS_OFF} if add else {})
        body = {"labels": labels, "labelFingerprint": found["labelFingerprint"]}
        self._finish(instance, self._ask("POST", f"{instance}/setLabels", body=body))

    def _forward(self, instance: str, on: bool) -> None:
        """Write an instance as a whole; its fingerprint has Google refuse that if somebody changed it in between."""
        found = {**self._ask("GET", instance), "canIpForward": on}
        # Google refuses what would interrupt the machine more than this.
        self._finish(instance, self._ask("PUT", instance, {"mostDisruptiveAllowedAction": "REFRESH"}, found))

    def _add_rule(self, network: str, body: dict[str, t.Any]) -> None:
        self._unless(409, network, "POST", _firewalls(network), body)

    def _drop_rule(self, network: str, name: str) -> None:
        self._unless(404, network, "DELETE", f"{_firewalls(network)}/{name}")

    def _unless(self, done: int, place: str, method: str, path: str, body: t.Any = None) -> None:
        """Make a change; what two runs do at once, the second finds done."""
        try:
            self._finish(place, self._ask(method, path, body=body))
        except Refused as error:
            if error.status != done:
                raise

    def _finish(self, place: str, operation: t.Mapping[str, t.Any]) -> None:
        """Wait for an operation on something: projects/p/zones/z/instances/n, projects/p/global/networks/n."""
        parent = "/".join(place.split("/")[:-2])
        while operation["status"] != "DONE":
            operation = self._ask("POST", f"{parent}/operations/{operation['name']}/wait")
        errors = operation.get("error", {}).get("errors", [])
        if errors:
            message = "; ".join(str(error.get("message") or error.get("code")) for error in errors)
            raise Refused(int(operation.get("httpErrorStatusCode") or 400), message)

    def _ask(
        self, method: str, path: str, query: t.Mapping[str, str] | None = None, body: t.Any = None
    ) -> dict[str, t.Any]:
        answer = self._session.request(
            method, f"{self._url}/{path}", params=query, json=body, timeout=_SECONDS, max_allowed_time=_SECONDS
        )
        try:
            found = answer.json()
        except ValueError:
            found = {}
        if answer.status_code >= 300:
            raise Refused(answer.status_code, str(found.get("error", {}).get("message") or answer.reason))
        return t.cast("dict[str, t.Any]", found)


def _firewalls(network: str) -> str:
    return f"{network.partition('/global/')[0]}/global/firewalls"


@contextlib.contextmanager
def _explained(what: str) -> t.Iterator[None]:
    try:
        yield
    except Refused as error:
        remedy = _REMEDIES.get(error.status, "")
        raise CloudError(f"{what}: {str(error).rstrip('.')}", remedy=remedy, status=error.status) from error
    except (GoogleAuthError, RequestException) as error:
        raise CloudError(f"{what}: {str(error).rstrip('.')}", remedy=_OWN) from error
