# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of Calico's CNI plugin."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import calico_options

ETCD: dict[str, t.Any] = {"datastore_type": "etcdv3", "etcd_endpoints": ["http://192.0.2.1:2379"]}
FILE = "/etc/cni/net.d/podnet-calico-kubeconfig"


def read(options: dict[str, t.Any], ranges: t.Sequence[str] = (), kubeconfig: str = "") -> t.Any:
    problems: list[t.Any] = []
    made = calico_options.plugin(options, node="node1", ranges=ranges, kubeconfig=kubeconfig, problems=problems)
    return made, [str(problem) for problem in problems]


def test_every_option_arrives() -> None:
    options = {
        "datastore_type": "etcd",
        "etcd_endpoints": "https://192.0.2.1:2379, https://192.0.2.2:2379",
        "etcd_key_file": "/k",
        "etcd_cert_file": "/c",
        "etcd_ca_cert_file": "/ca",
        "nodename": "other",
        "nodename_file_optional": True,
        "log_level": "DEBUG",
        "log_file_path": "/var/log/calico/cni/cni.log",
        "log_file_max_size": 10,
        "num_queues": 2,
        "container_settings": {"allow_ip_forwarding": True},
        "feature_control": {"floating_ips": True},
        "readiness_gates": ["http://localhost:9099/readiness"],
        "dataplane_options": {"type": "x"},
        "device_type": "netkit",
        "policy": {"type": "k8s"},
        "kubernetes": {"kubeconfig": "/etc/kubeconfig"},
        "ipam": {"assign_ipv4": False, "assign_ipv6": "true", "ipv6_pools": ["fd00::/48", "pool-six"]},
    }
    made, problems = read(options)
    assert problems == []
    assert made == {
        **options,
        "type": "calico",
        "datastore_type": "etcdv3",
        "etcd_endpoints": "https://192.0.2.1:2379,https://192.0.2.2:2379",
        "log_level": "debug",
        "ipam": {
            "type": "calico-ipam",
            "assign_ipv4": "false",
            "assign_ipv6": "true",
            "ipv6_pools": ["fd00::/48", "pool-six"],
        },
    }
    named = {"etcd_key_file": "/k", "etcd_cert_file": "/c", "etcd_ca_cert_file": "/ca"}
    assert calico_options.files(made) == {**named, "kubernetes.kubeconfig": "/etc/kubeconfig"}


def test_kubernetes_is_the_datastore_unless_told() -> None:
    made, problems = read({}, kubeconfig=FILE)
    assert problems == []
    assert made["datastore_type"] == "kubernetes"
    assert made["kubernetes"] == {"kubeconfig": FILE}
    assert made["policy"] == {"type": "k8s"}
    assert read({"kubernetes": {"k8s_api_root": "https://192.0.2.1:6443"}})[1] == []


@pytest.mark.parametrize(
    ("ranges", "assigned"),
    [([], ("true", "false")), (["10.0.0.0/26", "fd00::/122"], ("true", "true")), (["fd00::/122"], ("false", "true"))],
)
def test_addresses_of_the_versions_that_the_node_has(ranges: list[str], assigned: tuple[str, str]) -> None:
    ipam = read(ETCD, ranges)[0]["ipam"]
    assert (ipam["assign_ipv4"], ipam["assign_ipv6"]) == assigned


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_levl": "info"}, "cni_calico.log_levl is not a field of Calico v3.32. Did you mean log_level?"),
        ({"log_level": "loud"}, 'log_level "loud" is not one of debug, info, warning, error'),
        ({"mtu": 1400}, "cni_calico.mtu 1400 is in the node's plan. Set calico_mtu"),
        ({"hostname": "x"}, "is deprecated. Use nodename"),
        ({"windows_use_single_network": True}, "is for Windows only"),
        ({"vxlan_vni": 4096}, "is for Windows only"),
        ({"etcd_endpoints": ["192.0.2.1:2379"]}, 'etcd_endpoints "192.0.2.1:2379" is not a URL'),
        ({"etcd_endpoints": "http://u:secret@192.0.2.1:2379"}, '"(hidden)" has a user or password in it'),
        ({"etcd_endpoints": []}, 'etcd_endpoints "" is missing. Give etcd\'s URLs'),
        ({"etcd_key_file": "/k"}, "and etcd_cert_file go together"),
        ({"etcd_ca_cert_file": "ca.pem"}, "is no absolute path"),
        ({"datastore_type": "etcdv2"}, "is not one of kubernetes, etcdv3, etcd"),
        ({"datastore_type": "kubernetes", "kubernetes": {"kubeconfig": "/f"}}, "is not for the datastore kubernetes"),
        ({"num_queues": "two"}, 'num_queues "two" is not an integer'),
        ({"log_file_max_size": -1}, "is not within 0"),
        ({"container_settings": {"allow_forwarding": True}}, "Did you mean allow_ip_forwarding?"),
        ({"container_settings": True}, "container_settings true is not a mapping"),
        ({"policy": {"type": "k8"}, "kubernetes": {"kubeconfig": "/f"}}, 'policy.type "k8" is not one of k8s'),
        ({"policy": {"type": "k8s"}}, "kubernetes.kubeconfig is missing. Give cni_kubeconfig"),
        ({"policy": {"k8s_auth_token": "s"}}, 'k8s_auth_token "(hidden)" is deprecated. Use cni_kubeconfig'),
        ({"ipam": {"pools": []}}, "cni_calico.ipam.pools is not a field"),
        ({"ipam": {"assign_ipv4": "perhaps"}}, "is not a boolean"),
        ({"ipam": {"assign_ipv4": False}}, "are both false"),
        ({"ipam": {"ipv4_pools": ["fd00::/48"]}}, 'ipv4_pools "fd00::/48" is not an IPv4 network'),
        ({"ipam": {"ipv4_pools": "main"}}, "is not a list"),
        ({"readiness_gates": ["localhost"]}, "is not a URL"),
    ],
)
def test_refusals(options: dict[str, t.Any], message: str) -> None:
    __, problems = read({**ETCD, **options})
    assert any(message in problem for problem in problems), problems
    assert not any("secret" in problem for problem in problems)


def test_one_kubeconfig() -> None:
    __, problems = read({"kubernetes": {"kubeconfig": "/etc/mine"}}, kubeconfig=FILE)
    assert any("is given beside cni_kubeconfig" in problem for problem in problems)
    assert any("is missing" in problem for problem in read({})[1])
