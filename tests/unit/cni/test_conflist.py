# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CNI configuration list, of both chains; and what has to be the same on all nodes."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import (
    Network,
    agreement,
    build,
    disagreements,
    has_secrets,
    lowered,
    programs,
    render,
    secrets,
    shown,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

RANGES = ("10.244.0.0/26", "10.245.0.0/26", "fd00::/122")
PTP = Network("podnet", "1.0.0", RANGES, 1430, node="node1")
ETCD: dict[str, t.Any] = {"datastore_type": "etcdv3", "etcd_endpoints": "http://192.0.2.1:2379"}
CALICO = PTP._replace(chain="calico", calico=ETCD)
KUBERNETES = PTP._replace(chain="calico", kubeconfig="/etc/cni/net.d/podnet-calico-kubeconfig")


@pytest.mark.parametrize(
    ("name", "network"), [("dual-stack", PTP), ("calico-etcd", CALICO), ("calico-kubernetes", KUBERNETES)]
)
def test_lists(golden: t.Callable[[str, str], None], name: str, network: Network) -> None:
    golden(f"cni/{name}.conflist", render(build(network)))


def test_one_ip_version() -> None:
    ipam = build(PTP._replace(ranges=("10.244.0.0/26",)))["plugins"][0]["ipam"]
    assert ipam["routes"] == [{"dst": "0.0.0.0/0"}]
    assert ipam["dataDir"] == "/run/podnet-calico/cni", "addresses in use are forgotten with a boot"


def test_further_plugins_come_last_or_take_a_place() -> None:
    tuning = {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}
    limit = {"type": "bandwidth", "ingressRate": 8000, "ingressBurst": 800}
    made = build(PTP._replace(extra=(tuning, limit), options={"disableCheck": True}))
    assert [plugin["type"] for plugin in made["plugins"]] == ["ptp", "portmap", "bandwidth", "tuning"]
    assert (made["plugins"][2], made["plugins"][3]) == (limit, tuning)
    assert list(made) == ["cniVersion", "name", "disableCheck", "plugins"]


def test_calico_with_host_local_has_the_blocks_of_the_node() -> None:
    made = build(CALICO._replace(calico={**ETCD, "ipam": {"type": "host-local"}}))["plugins"][0]["ipam"]
    assert made == build(PTP)["plugins"][0]["ipam"]
    kept = build(CALICO._replace(calico={**ETCD, "ipam": {"type": "host-local", "subnet": "usePodCidr"}}))
    assert kept["plugins"][0]["ipam"] == {"type": "host-local", "subnet": "usePodCidr"}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (PTP._replace(ranges=("10.244.0.1/26",)), "has host bits set. Write networks like 10.244.0.0/26"),
        (PTP._replace(mtu=1279), "mtu 1279 is too small for pods with IPv6. IPv6 needs 1280"),
        (PTP._replace(name="a/b"), 'name "a/b" is no name of a network'),
        (PTP._replace(extra=({"type": "../x"},)), 'plugins[3].type "../x" is no name of a program'),
        (PTP._replace(options={"plugins": []}), "cniVersion, name and plugins are given otherwise"),
        (CALICO._replace(version="1.1.0"), "does not know version 1.1.0 of the CNI specification"),
    ],
)
def test_refusals(network: Network, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build(network)
    assert message in str(refused.value)


def test_secrets_of_further_plugins_are_hidden() -> None:
    extra = {"type": "guard", "auth": {"token": "t0p", "token_file": "/etc/token"}, "password": "pa55"}
    text = render(build(PTP._replace(extra=(extra,))))
    assert has_secrets(json.loads(text))
    assert not has_secrets(build(CALICO)), "names of files are none"
    assert "t0p" not in shown(text)
    assert "pa55" not in shown(text)
    assert "/etc/token" in shown(text)
    assert sorted(secrets([extra])) == ["pa55", "t0p"]
    assert "t0p" not in str(agreement(json.loads(text)))


def agreed(*networks: Network) -> list[str]:
    return disagreements({f"h{n}": agreement(build(network))._asdict() for n, network in enumerate(networks, 1)})


def test_nodes_agree_but_for_ranges_and_names() -> None:
    other = {"ranges": ("10.244.9.0/26",), "node": "node2"}
    assert agreed(PTP, PTP._replace(**other)) == []
    assert agreed(CALICO._replace(ranges=RANGES[:2]), CALICO._replace(**other)) == []
    assert disagreements({}) == []


@pytest.mark.parametrize(
    ("networks", "lines"),
    [
        ((PTP, PTP, PTP._replace(mtu=1400)), ["mtu: 1400 on h3; 1430 on h1, h2"]),
        ((PTP, PTP._replace(version="0.4.0")), ['cniVersion: "0.4.0" on h2; "1.0.0" on h1']),
        (
            (PTP, PTP._replace(extra=({"type": "tuning", "mtu": 9},))),
            [
                "plugins: ptp, portmap, bandwidth on h1; ptp, portmap, bandwidth, tuning on h2",
                "tuning.mtu: 9 on h2; nothing on h1",
                'tuning.type: "tuning" on h2; nothing on h1',
            ],
        ),
        (
            (CALICO, CALICO._replace(calico={**ETCD, "log_level": "debug"})),
            ['calico.log_level: "debug" on h2; "info" on h1'],
        ),
        (
            (
                PTP._replace(extra=({"type": "guard", "token": "a"},)),
                PTP._replace(extra=({"type": "guard", "token": "b"},)),
            ),
            ["a secret in the list"],
        ),
    ],
)
def test_what_nodes_differ_in_is_named(networks: tuple[Network, ...], lines: list[str]) -> None:
    assert agreed(*networks) == lines


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (
            {"psk": "a", "apiKey": "b", "access-key": "c", "encryption_key": "d", "clientKey": 5},
            ["a", "b", "c", "d", "5"],
        ),
        ({"secrets": [{"value": "a", "more": ["b", 7]}, "c"]}, ["a", "b", "7", "c"]),
        ({"credentials": {"user": "u", "flag": True, "none": None, "empty": ""}}, ["u"]),
        ({"etcd_key_file": "/k", "tokenPath": "/t", "secret_dir": "/s", "key": "k", "monkey": "m"}, []),
    ],
)
def test_what_is_a_secret(options: dict[str, t.Any], found: list[str]) -> None:
    assert list(secrets(options)) == found
    assert has_secrets(options) == bool(found)
    hidden = json.loads(shown(json.dumps(options)))
    assert list(secrets(hidden)) == ["(hidden)"] * len(found)
    assert bool(found) or hidden == options


def test_no_larger_mtu_and_all_else_the_same() -> None:
    network = build(PTP._replace(extra=({"type": "tuning", "mtu": 1300}, {"type": "vlan", "mtu": 1420})))
    mtus = [plugin.get("mtu") for plugin in lowered(network, 1400)["plugins"]]
    assert mtus == [1400, None, None, 1300, 1400]
    assert lowered(network, 1430) == network
    assert lowered(lowered(network, 1400), 9000) == lowered(network, 1400)
    assert list(lowered(network, 1400)) == list(network)
    odd: list[t.Any] = [None, [], {"plugins": {}}, {"plugins": [7, {"mtu": "1500"}]}]
    assert [lowered(each, 1400) for each in odd] == odd


def test_programs_that_a_runtime_calls() -> None:
    extra = ({"type": "tuning"}, {"type": "macvlan", "ipam": {"type": "dhcp"}}, {"type": "vlan", "ipam": {}})
    assert programs(build(PTP._replace(extra=extra))) == [
        *("ptp", "portmap", "bandwidth", "tuning", "macvlan", "vlan", "host-local", "dhcp", "loopback")
    ]
    assert programs(build(CALICO))[-3:] == ["bandwidth", "calico-ipam", "loopback"]
