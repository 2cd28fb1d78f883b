# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules calico_pod_mtu and calico_pool_usage on pods of calico_veth and of others; the oracle is `ip`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import WORKLOAD, NetnsName, RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

BLOCKS = ["10.244.0.0/26", "fd00::/122"]
CALI = "cali" + "a4fc3c48bd8"  # printf shop.web-0 | sha1sum


def foreign(host: Namespace, netns: str, name: str, address: str, mtu: int = 1500) -> None:
    """Make a pod as the CNI plugin ptp does: any name, no alias, a route of protocol kernel or boot."""
    host.ip(f"link add {name} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {netns}")
    host.batch(f"link set {name} up", f"route add {address}/32 dev {name} scope host")


def mtus(host: Namespace, end: str, inside: Namespace) -> tuple[int, int]:
    return host.link(end)["mtu"], inside.link("eth0")["mtu"]


@pytest.fixture
def others(host: Namespace, netns_name: NetnsName) -> Namespace:
    """Return the namespace of a pod that a CNI plugin made."""
    name = netns_name()
    subprocess.run(["ip", "netns", "add", name], check=True)
    foreign(host, name, "veth0a1b2c", "10.244.0.9")
    return Namespace(name)


def test_both_ends_of_all_pods_in_the_blocks(
    host: Namespace, run_module: RunModule, converge: RunModule, pod: Result, others: Namespace, netns_name: NetnsName
) -> None:
    elsewhere = netns_name()
    subprocess.run(["ip", "netns", "add", elsewhere], check=True)
    foreign(host, elsewhere, "veth9", "192.0.2.9")
    run_module("calico_veth", {"endpoints": [pod]})
    ours = Namespace(pod["netns"])
    done = converge("calico_pod_mtu", {"cidrs": BLOCKS, "mtu": 1400})
    assert done["pods"] == 2
    assert sorted(change["name"] for change in done["changes"]) == [CALI, "veth0a1b2c"]
    assert done["diff"]["before"].splitlines()[:3] == [f"pod {CALI}", "  host: 1450", "  pod: 1450"]
    assert [mtus(host, CALI, ours), mtus(host, "veth0a1b2c", others)] == [(1400, 1400)] * 2
    assert mtus(host, "veth9", Namespace(elsewhere)) == (1500, 1500)
    assert ours.show("-6 addr show dev eth0 scope global")[0]["addr_info"][0]["local"] == "fd00::5"
    again = run_module("calico_veth", {"endpoints": [{**pod, "mtu": 1400}]})
    assert again["changed"] is False, "the endpoint is as calico_veth would have made it"


def test_at_most_leaves_what_is_smaller(host: Namespace, converge: RunModule, others: Namespace) -> None:
    host.ip("link set veth0a1b2c mtu 1300")
    converge("calico_pod_mtu", {"cidrs": BLOCKS, "mtu": 1400, "at_most": True})
    assert mtus(host, "veth0a1b2c", others) == (1300, 1400)
    converge("calico_pod_mtu", {"cidrs": BLOCKS, "mtu": 1450})
    assert mtus(host, "veth0a1b2c", others) == (1450, 1450)


def test_a_namespace_without_a_name_is_found_by_its_processes(host: Namespace, converge: RunModule) -> None:
    process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    try:
        wait_for(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        foreign(host, str(process.pid), "veth77", "10.244.0.7")
        converge("calico_pod_mtu", {"cidrs": BLOCKS, "mtu": 1380})
        shown = ["nsenter", f"--net=/proc/{process.pid}/ns/net", "ip", "-j", "link", "show", "eth0"]
        assert json.loads(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)[0]["mtu"] == 1380
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


# By options: what is said.
REFUSED: dict[str, tuple[Result, str]] = {
    "IPv6 would be lost": ({"mtu": 1279}, "those with IPv6 addresses would lose them. IPv6 needs 1280"),
    "no MTU": ({"mtu": 67}, "67 is not between 68 and 65535"),
    "no range": ({"cidrs": ["10.244.0.1/26"], "mtu": 1400}, "10.244.0.1/26 has host bits set. Give ranges"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_is_touched(
    host: Namespace, run_module: RunModule, pod: Result, options: Result, said: str
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    before = host.state()
    assert said in run_module("calico_pod_mtu", {"cidrs": BLOCKS, **options})["msg"]
    assert host.state() == before


def test_pods_that_live_in_a_pool(
    host: Namespace, run_module: RunModule, pod: Result, others: Namespace, tmp_path: Path
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    host.batch("route add blackhole 10.244.0.0/26", "route add 10.244.0.64/26 via 10.244.0.9 dev veth0a1b2c onlink")
    lease = tmp_path / "podnet" / "10.244.0.9"
    lease.parent.mkdir()
    lease.write_text("0123456789abcdef\r\neth0")
    (lease.parent / "10.244.0.10").write_text("fedcba\r\neth0")
    (lease.parent / "last_reserved_ip.0").write_text("10.244.0.9")
    network = {
        "plugins": [{"type": "ptp", "ipam": {"ranges": [[{"subnet": "10.244.0.0/26"}], [{"subnet": "fd01::/122"}]]}}]
    }
    (tmp_path / "10-podnet-calico.conflist").write_text(json.dumps(network))
    options = {"cni_config_dir": str(tmp_path), "cni_lease_dir": str(tmp_path)}
    found = run_module("calico_pool_usage", {"cidrs": ["10.244.0.0/16", "fd00::/64"], **options})
    assert found["pods"] == [
        {"address": "10.244.0.5", "device": CALI, "name": WORKLOAD},
        {"address": "fd00::5", "device": CALI, "name": WORKLOAD},
        {"address": "10.244.0.9", "device": "veth0a1b2c", "name": "container 0123456789ab"},
    ]
    assert found["ranges"] == ["10.244.0.0/26"]
    assert run_module("calico_pool_usage", {"cidrs": ["10.245.0.0/16"], **options})["pods"] == []
    host.ip("link del veth0a1b2c")
    left = run_module("calico_pool_usage", {"cidrs": ["10.244.0.0/16"], **options})["pods"]
    assert [entry["device"] for entry in left] == [CALI], "a note without a pod counts for nothing"
