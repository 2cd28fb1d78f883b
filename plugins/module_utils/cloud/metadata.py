# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cloud's metadata service tells a machine of itself. Plain HTTP, without proxies, with short timeouts."""

from __future__ import annotations

import http.client
import json
import time
import typing as t
import urllib.parse

from ansible_collections.podnet.calico.plugins.module_utils.cloud import platforms
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

LINK_LOCAL = "http://169.254.169.254"
EQUINIX = "https://metadata.platformequinix.com"
_LIFETIME = "60"

Facts = t.Dict[str, t.Any]


class NoAnswer(Exception):
    """Nothing answers at the address."""


_LARGEST = 1 << 20  # bytes of an answer
_WAITS = 10  # how often the time of one wait an answer may take


class Service:
    """A metadata service at a URL, such as http://169.254.169.254; timeout in seconds, for each wait."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(f"metadata_url: {url} is no URL of HTTP", remedy=f"Give one such as {LINK_LOCAL}")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connect = lambda: kind(str(parts.hostname), parts.port, timeout=timeout)
        self._patience = _WAITS * timeout
        self._prefix = parts.path.rstrip("/")

    def ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> str | None:
        """Return the text at a path, None if there is none; raise NoAnswer if nobody answers."""
        connection = self._connect()
        try:
            connection.request(method, self._prefix + path, headers=headers or {})
            answer = connection.getresponse()
            text = _whole(answer, self._patience).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(str(error)) from error
        finally:
            connection.close()
        return text if answer.status == 200 else None

    def document(self, path: str, headers: dict[str, str] | None = None) -> Facts | None:
        """Return the JSON object at a path, None if there is none."""
        try:
            found = json.loads(self.ask(path, headers) or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def _whole(answer: http.client.HTTPResponse, seconds: float) -> bytes:
    """Return what an answer holds; raises OSError for one that does not end, in bytes or in time."""
    deadline, found = time.monotonic() + seconds, b""
    while part := answer.read1(_LARGEST):
        found += part
        if len(found) > _LARGEST or time.monotonic() > deadline:
            raise OSError("the answer does not end")
    return found


def _interface(**known: t.Any) -> Facts:
    empty = {"id": "", "mac": "", "addresses": [], "subnet": "", "groups": []}
    return {**empty, **known}


def _facts(**known: t.Any) -> Facts:
    empty = {"instance": "", "name": "", "region": "", "zone": "", "project": "", "group": "", "interfaces": []}
    return {**empty, **known}


def _aws(service: Service) -> Facts | None:
    """IMDSv2: a token first, with which all else is asked; a machine that is set to it answers nothing else."""
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": _LIFETIME}
    token = service.ask("/latest/api/token", lifetime, method="PUT")
    if not token:
        return None

    def ask(path: str) -> str:
        return service.ask(f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token}) or ""

    instance = ask("instance-id")
    if not instance.startswith("i-"):
        return None
    interfaces = []
    for mac in (line.rstrip("/") for line in ask("network/interfaces/macs/").split()):
        at = f"network/interfaces/macs/{mac}"
        interfaces.append(
            _interface(
                id=ask(f"{at}/interface-id"),
                mac=mac,
                addresses=ask(f"{at}/local-ipv4s").split(),
                subnet=ask(f"{at}/subnet-id"),
                groups=ask(f"{at}/security-group-ids").split(),
            )
        )
    zone = ask("placement/availability-zone")
    region = ask("placement/region") or zone[:-1]
    return _facts(instance=instance, region=region, zone=zone, interfaces=interfaces)


def _azure(service: Service) -> Facts | None:
    found = service.document("/metadata/instance?api-version=2021-02-01", {"Metadata": "true"})
    if not found or not isinstance(found.get("compute"), dict):
        return None
    compute = found["compute"]
    interfaces = [
        _interface(
            mac=nic.get("macAddress", ""),
            addresses=[pair["privateIpAddress"] for pair in nic.get("ipv4", {}).get("ipAddress", [])],
            subnet=", ".join(f"{net['address']}/{net['prefix']}" for net in nic.get("ipv4", {}).get("subnet", [])),
        )
        for nic in found.get("network", {}).get("interface", [])
    ]
    return _facts(
        instance=compute.get("vmId", ""),
        name=compute.get("name", ""),
        region=compute.get("location", ""),
        zone=compute.get("zone", ""),
        project=compute.get("subscriptionId", ""),
        group=compute.get("resourceGroupName", ""),
        interfaces=interfaces,
    )


def _google(service: Service) -> Facts | None:
    flavor = {"Metadata-Flavor": "Google"}
    found = service.document("/computeMetadata/v1/instance/?recursive=true", flavor)
    if not found:
        return None
    zone = found.get("zone", "").rpartition("/")[2]
    interfaces = [
        _interface(
            mac=nic.get("mac", ""), addresses=[nic.get("ip", "")], subnet=nic.get("network", "").rpartition("/")[2]
        )
        for nic in found.get("networkInterfaces", [])
    ]
    return _facts(
        instance=str(found.get("id", "")),
        name=found.get("name", ""),
        region=zone.rpartition("-")[0],
        zone=zone,
        project=service.ask("/computeMetadata/v1/project/project-id", flavor) or "",
        interfaces=interfaces,
    )


def _openstack(service: Service) -> Facts | None:
    found = service.document("/openstack/latest/meta_data.json")
    if not found:
        return None
    network = service.document("/openstack/latest/network_data.json") or {}
    given: dict[str, list[str]] = {}
    for entry in network.get("networks", []):
        given.setdefault(entry.get("link", ""), []).extend(filter(None, [entry.get("ip_address")]))
    interfaces = [
        _interface(
            id=link.get("vif_id", ""), mac=link.get("ethernet_mac_address", ""), addresses=given.get(link.get("id"), [])
        )
        for link in network.get("links", [])
    ]
    return _facts(
        instance=found.get("uuid", ""),
        name=found.get("name", ""),
        zone=found.get("availability_zone", ""),
        project=found.get("project_id", ""),
        interfaces=interfaces,
    )


def _digitalocean(service: Service) -> Facts | None:
    found = service.document("/metadata/v1.json")
    if not found or "droplet_id" not in found:
        return None
    interfaces = [
        _interface(mac=nic.get("mac", ""), addresses=[nic["ipv4"]["ip_address"]], subnet=scope)
        for scope, nics in sorted(found.get("interfaces", {}).items())
        for nic in nics
        if "ipv4" in nic
    ]
    return _facts(
        instance=str(found["droplet_id"]),
        name=found.get("hostname", ""),
        region=found.get("region", ""),
        interfaces=interfaces,
    )


def _hetzner(service: Service) -> Facts | None:
    instance = service.ask("/hetzner/v1/metadata/instance-id")
    if not instance:
        return None
    return _facts(
        instance=instance.strip(),
        name=(service.ask("/hetzner/v1/metadata/hostname") or "").strip(),
        region=(service.ask("/hetzner/v1/metadata/region") or "").strip(),
        zone=(service.ask("/hetzner/v1/metadata/availability-zone") or "").strip(),
    )


def _equinix(service: Service) -> Facts | None:
    found = service.document("/metadata")
    if not found or "plan" not in found:
        return None
    addresses = found.get("network", {}).get("addresses", [])
    return _facts(
        instance=found.get("id", ""),
        name=found.get("hostname", ""),
        region=found.get("metro", found.get("facility", "")),
        interfaces=[_interface(addresses=[entry["address"] for entry in addresses if "address" in entry])],
    )


# In the order in which they are tried where nothing is known: what else imitates others' services comes first.
_READERS: dict[str, t.Callable[[Service], Facts | None]] = {
    platforms.OPENSTACK: _openstack,
    platforms.AWS: _aws,
    platforms.GOOGLE: _google,
    platforms.AZURE: _azure,
    platforms.DIGITALOCEAN: _digitalocean,
    platforms.HETZNER: _hetzner,
    platforms.EQUINIX: _equinix,
}
SERVED = tuple(_READERS)


def read(platform: str, url: str, timeout: float) -> Facts | None:
    """Return what the metadata of a platform says; None if nobody answers, or something else does.

    Facts: instance, name, region, zone, project, group (of Azure's resources), and interfaces, each with id, mac,
    addresses (IPv4), subnet and groups (of security). What is not known is empty. url: "" for the platform's own.
    """
    service = Service(url or (EQUINIX if platform == platforms.EQUINIX else LINK_LOCAL), timeout)
    try:
        return _READERS[platform](service)
    except NoAnswer:
        return None
    except (AttributeError, KeyError, TypeError):  # JSON of another shape than the platform's
        return None


def search(url: str, timeout: float) -> tuple[str, Facts] | None:
    """Return the first platform whose metadata answers, and what it says."""
    at = Service(url or LINK_LOCAL, timeout)
    try:
        at.ask("/")
    except NoAnswer:
        tried: t.Sequence[str] = () if url else (platforms.EQUINIX,)
    else:
        tried = SERVED
    for platform in tried:
        found = read(platform, url, timeout)
        if found:
            return platform, found
    return None
