# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's own plugin and calico-ipam with etcd, by the list of the chain calico, on routes of ours."""

from __future__ import annotations

import base64
import ipaddress
import json
import shutil
import typing as t
from pathlib import Path

import pytest
from cni_runtime import Container
from stage import Stage

from ansible_collections.podnet.calico.tests.tools import calico_cni, cni_plugins

pytestmark = pytest.mark.nightly

BIN_DIR = "/opt/cni/with-calico"  # nodes have a /opt of their own
ETCD = "http://192.0.2.11:2379"
KINDS = ("IPPool", "Node", "IPAMBlock", "BlockAffinity", "IPAMHandle")
READY: dict[str, t.Any] = {
    "kind": "ClusterInformation",
    "metadata": {"name": "default"},
    "spec": {"clusterGUID": "0" * 32, "datastoreReady": True},
}
# Sends one request to etcd's gateway for JSON; it is Debian's etcd 3.4, which has it at /v3.
ASK = """
import sys, urllib.request
print(urllib.request.urlopen(f"{sys.argv[1]}/v3/kv/{sys.argv[2]}", sys.argv[3].encode(), timeout=10).read().decode())
"""


class Etcd:
    """An etcd on node1, asked from there."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def start(self, program: str) -> None:
        """Start it, and wait until it answers."""
        self._stage.ask(
            "node1",
            f"{program} --data-dir /run/etcd --listen-client-urls {ETCD} --advertise-client-urls {ETCD} "
            "--listen-peer-urls http://127.0.0.1:2380 >/run/etcd.log 2>&1 & echo $! >/run/etcd.pid",
        )
        self._stage.ask(
            "node1",
            f"for i in $(seq 100); do python3 -c 'import urllib.request as r; r.urlopen(\"{ETCD}/health\")' "
            "2>/dev/null && exit; sleep 0.2; done; tail /run/etcd.log; exit 1",
        )

    def stop(self) -> None:
        """End it."""
        self._stage.run("node1", "kill $(cat /run/etcd.pid)")

    def put(self, document: dict[str, t.Any]) -> None:
        """Write a document as Calico does (libcalico-go/lib/backend/model: resource.go, block.go)."""
        kind, name, spec = document["kind"], document["metadata"]["name"], document["spec"]
        value: dict[str, t.Any] = {"apiVersion": "projectcalico.org/v3", **document}
        cidr = str(spec.get("cidr")).replace("/", "-")
        if kind == "IPAMBlock":
            key, value = f"ipam/v2/assignment/ipv4/block/{cidr}", spec
        elif kind == "BlockAffinity":
            key, value = f"ipam/v2/host/{spec['node']}/ipv4/block/{cidr}", {"state": spec["state"], "deleted": False}
        elif kind == "IPAMHandle":
            key, value = f"ipam/v2/handle/{spec['handleID']}", {"block": spec["block"], "deleted": False}
        else:
            key = f"resources/v3/projectcalico.org/{kind.lower()}s/{name}"
        self._ask("put", {"key": _encoded(f"/calico/{key}"), "value": _encoded(json.dumps(value))})

    def read(self, prefix: str) -> dict[str, t.Any]:
        """Return what is below a prefix, by key."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = self._ask("range", {"key": _encoded(prefix), "range_end": _encoded(end)}).get("kvs", [])
        return {_decoded(row["key"]): json.loads(_decoded(row["value"])) for row in rows}

    def _ask(self, what: str, request: dict[str, str]) -> dict[str, t.Any]:
        command = f"python3 -c '{ASK}' {ETCD} {what} '{json.dumps(request)}'"
        return dict(json.loads(self._stage.ask("node1", command)))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


@pytest.fixture(scope="module")
def programs() -> list[Path]:
    """Return Calico's plugins and the reference plugins."""
    try:
        calico = calico_cni.programs()
    except calico_cni.Unavailable as error:
        pytest.skip(str(error))
    return [*cni_plugins.INSTALLED.iterdir(), calico / "calico", calico / "calico-ipam"]


@pytest.fixture(scope="module")
def etcd(stage: Stage, programs: list[Path]) -> t.Iterator[Etcd]:
    """Have two nodes with VXLAN and the chain calico, and an etcd with what our datastore has: pools, nodes, blocks."""
    stage.fresh(2)
    for name in stage.names:
        folder = stage.root(name) / BIN_DIR.lstrip("/")
        folder.mkdir(parents=True)
        for path in programs:
            shutil.copy(path, folder)
    made = Etcd(stage)
    shutil.copy(calico_cni.CACHE / "etcd", stage.root("node1") / "opt")
    made.start("/opt/etcd")
    options = {
        "cni_chain": "calico",
        "cni_calico": {"datastore_type": "etcdv3", "etcd_endpoints": [ETCD], "log_level": "debug"},
        "cni_plugins_source": "present",
        "cni_bin_dir": BIN_DIR,
    }
    stage.succeed("deploy", "-e", json.dumps(options))
    assert stage.succeed("deploy", "-e", json.dumps(options)).changed == []
    documents = stage.module("node1", "calico_resource_info")["resources"]
    for document in (*(each for each in documents if each["kind"] in KINDS), READY):
        made.put(document)
    yield made
    made.stop()


def block(stage: Stage, node: str) -> ipaddress.IPv4Network:
    """Return the block that our planner has chosen for a node."""
    lines = [line.split() for line in stage.lines(node, "ip route show type blackhole")]
    return ipaddress.IPv4Network(next(words[1] for words in lines if words[1].endswith("/26")))


def handles(etcd: Etcd) -> list[str]:
    """Return the handles of containers' addresses; calico-ipam names them by network and container."""
    return [key for key in etcd.read("/calico/ipam/v2/handle/") if "/podnet-calico." in key]


def in_use(etcd: Etcd) -> dict[str, list[int]]:
    """Return the places in each block that are in use."""
    blocks = etcd.read("/calico/ipam/v2/assignment/ipv4/block/").values()
    return {each["cidr"]: [n for n, use in enumerate(each["allocations"]) if use is not None] for each in blocks}


def test_containers_get_addresses_of_our_blocks_and_reach_each_other(stage: Stage, etcd: Etcd) -> None:
    before = in_use(etcd)
    containers = [Container(stage, node, f"calico-{node}", plugins=BIN_DIR) for node in stage.names]
    addresses = []
    for container in containers:
        container.start()
        (found,) = container.add()["ips"]
        addresses.append(ipaddress.IPv4Interface(found["address"]).ip)
        container.check(without=("bandwidth",))
    for container, address in zip(containers, addresses):
        assert address in block(stage, container.node), "calico-ipam goes on in our blocks"
        assert "ee:ee:ee:ee:ee:ee" in stage.ask(container.node, "ip -o link show type veth | grep cali")
    assert "mtu 1450" in stage.ask("node1", "ip netns exec calico-node1 ip link show eth0")
    assert " 0% packet loss" in stage.ask("node1", f"ip netns exec calico-node1 ping -c 3 -i 0.2 -W 2 {addresses[1]}")
    assert len(handles(etcd)) == 2
    for container in containers:
        container.delete()
        container.delete()
        container.stop()
    assert handles(etcd) == []
    assert in_use(etcd) == before, "those of tunnels and probe pods, in no block but ours"
    for node in stage.names:
        assert stage.run(node, "ip -o link show type veth | grep cali").stdout == ""
