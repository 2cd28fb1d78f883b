# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What metadata services answer, and the hint of DMI that decides whether they are asked."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cloud import metadata
from ansible_collections.podnet.calico.plugins.module_utils.cloud.detect import Places, detect
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

MAC = "02:00:00:00:00:01"
AWS = {
    "PUT /latest/api/token": "token",
    "/latest/meta-data/instance-id": "i-1",
    "/latest/meta-data/placement/availability-zone": "eu-central-1a",
    "/latest/meta-data/network/interfaces/macs/": f"{MAC}/\n",
    f"/latest/meta-data/network/interfaces/macs/{MAC}/interface-id": "eni-1",
    f"/latest/meta-data/network/interfaces/macs/{MAC}/local-ipv4s": "192.0.2.11\n192.0.2.12",
    f"/latest/meta-data/network/interfaces/macs/{MAC}/subnet-id": "subnet-1",
    f"/latest/meta-data/network/interfaces/macs/{MAC}/security-group-ids": "sg-1\nsg-2",
}
AZURE_NIC = {"macAddress": "1", "ipv4": {"ipAddress": [{"privateIpAddress": "192.0.2.11"}], "subnet": []}}
AZURE_COMPUTE = {"vmId": "v", "name": "vm-1", "location": "west", "subscriptionId": "s", "resourceGroupName": "rg"}
SERVICES: dict[str, dict[str, t.Any]] = {
    "aws": AWS,
    "azure": {
        "/metadata/instance?api-version=2021-02-01": {"compute": AZURE_COMPUTE, "network": {"interface": [AZURE_NIC]}}
    },
    "google": {
        "/computeMetadata/v1/instance/?recursive=true": {
            "id": 1,
            "name": "vm-1",
            "zone": "projects/7/zones/europe-west3-a",
            "networkInterfaces": [{"ip": "192.0.2.11", "mac": MAC, "network": "projects/7/networks/default"}],
        },
        "/computeMetadata/v1/project/project-id": "p",
    },
    "openstack": {
        "/openstack/latest/meta_data.json": {"uuid": "u", "name": "vm-1", "project_id": "p"},
        "/openstack/latest/network_data.json": {
            "links": [{"id": "tap1", "vif_id": "port-1", "ethernet_mac_address": MAC}],
            "networks": [{"link": "tap1", "ip_address": "192.0.2.11"}],
        },
    },
    "digitalocean": {
        "/metadata/v1.json": {
            "droplet_id": 1,
            "region": "fra1",
            "interfaces": {"private": [{"mac": MAC, "ipv4": {"ip_address": "192.0.2.11"}}]},
        }
    },
    "hetzner": {"/hetzner/v1/metadata/instance-id": "42", "/hetzner/v1/metadata/region": "eu-central"},
    "equinix": {"/metadata": {"id": "e", "plan": "c3.small", "network": {"addresses": [{"address": "192.0.2.11"}]}}},
}
VENDORS = {"aws": "Amazon EC2", "digitalocean": "DigitalOcean", "hetzner": "Hetzner", "kvm": "QEMU"}


class Served:
    """A metadata service: answers by path, and the requests that it got."""

    def __init__(self) -> None:
        self.answers: dict[str, t.Any] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""


@pytest.fixture
def served() -> t.Iterator[Served]:
    """Return a metadata service on loopback."""
    made = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = f"PUT {self.path}" if self.command == "PUT" else self.path
            made.requests.append((key, dict(self.headers.items())))
            answer = made.answers.get(key)
            self.send_response(404 if answer is None else 200)
            self.end_headers()
            self.wfile.write((answer if isinstance(answer, str) else json.dumps(answer)).encode())

        do_PUT = do_GET

        def log_message(self, format: str, *args: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def places(folder: Path, url: str, vendor: str = "") -> Places:
    if vendor:
        (folder / "sys_vendor").write_text(f"{vendor}\n")
    return Places(str(folder), str(folder / "cpuinfo"), url, 5)


@pytest.mark.parametrize("platform", SERVICES)
def test_a_service_is_found_without_any_hint_if_asked_to(served: Served, tmp_path: Path, platform: str) -> None:
    served.answers = SERVICES[platform]
    found = detect(places(tmp_path, served.url), ask="always")
    assert (found["platform"], found["confirmed"]) == (platform, True)
    assert found["metadata"]["instance"]


@pytest.mark.parametrize("drips", [False, True], ids=["in bytes", "in time"])
def test_an_answer_without_end_is_none(monkeypatch: pytest.MonkeyPatch, drips: bool) -> None:
    class Endless:
        def read1(self, size: int) -> bytes:
            now[0] += 1
            return b"x" if drips else b"x" * size

    now = [0.0]
    monkeypatch.setattr(metadata.time, "monotonic", lambda: now[0])
    with pytest.raises(OSError, match="does not end"):
        metadata._whole(Endless(), 20)  # type: ignore[arg-type]
    assert now[0] <= 22


def test_amazon_is_asked_with_a_token_only(served: Served, tmp_path: Path) -> None:
    served.answers = AWS
    found = detect(places(tmp_path, served.url, "Amazon EC2"))
    assert found["metadata"] == {
        "instance": "i-1",
        "name": "",
        "region": "eu-central-1",
        "zone": "eu-central-1a",
        "project": "",
        "group": "",
        "interfaces": [
            {
                "id": "eni-1",
                "mac": MAC,
                "addresses": ["192.0.2.11", "192.0.2.12"],
                "subnet": "subnet-1",
                "groups": ["sg-1", "sg-2"],
            }
        ],
    }
    assert all(headers.get("X-aws-ec2-metadata-token") == "token" for __, headers in served.requests[1:])


def test_ports_of_openstack_and_zone_of_google(served: Served, tmp_path: Path) -> None:
    served.answers = SERVICES["openstack"]
    found = detect(places(tmp_path, served.url), platform="openstack")["metadata"]
    assert (found["interfaces"][0]["id"], found["interfaces"][0]["addresses"]) == ("port-1", ["192.0.2.11"])
    served.answers = SERVICES["google"]
    found = detect(places(tmp_path, served.url), platform="google")["metadata"]
    assert (found["zone"], found["region"], found["project"]) == ("europe-west3-a", "europe-west3", "p")


@pytest.mark.parametrize(("vendor", "ask"), [("", "hinted"), ("QEMU", "hinted"), ("Amazon EC2", "never")])
def test_nothing_is_asked_without_a_hint_or_leave(served: Served, tmp_path: Path, vendor: str, ask: str) -> None:
    served.answers = AWS
    assert detect(places(tmp_path, served.url, vendor), ask=ask)["metadata"] is None
    assert served.requests == []


@pytest.mark.parametrize("answers", [{}, {"PUT /latest/api/token": "t", "/latest/meta-data/instance-id": "<html>"}])
def test_an_answer_of_something_else_is_none(served: Served, tmp_path: Path, answers: dict[str, str]) -> None:
    served.answers = answers
    found = detect(places(tmp_path, served.url, "Amazon EC2"))
    assert (found["platform"], found["confirmed"], found["metadata"]) == ("aws", False, None)


def test_json_of_another_shape_is_none(served: Served, tmp_path: Path) -> None:
    served.answers = {"/metadata/v1.json": {"droplet_id": 1, "interfaces": []}}
    assert detect(places(tmp_path, served.url, "DigitalOcean"))["metadata"] is None


def test_silence_is_none(tmp_path: Path) -> None:
    found = detect(places(tmp_path, "http://127.0.0.1:1", "Hetzner"))
    assert (found["platform"], found["confirmed"]) == ("hetzner", False)


def test_a_url_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="metadata_url"):
        detect(places(tmp_path, "169.254.169.254", "Hetzner"))
