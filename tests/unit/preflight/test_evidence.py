# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a host's files and of the text of its firewalls, from trees and rules as distributions have them."""

from __future__ import annotations

import gzip
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.preflight import (
    kernel_features,
    managers,
    ruleset,
    switches,
)

RELEASE = "6.1.0-18-amd64"


@pytest.fixture
def tree(tmp_path: Path) -> t.Callable[[dict[str, str]], str]:
    """Return a function that makes a host's files and returns their root."""

    def make(texts: dict[str, str]) -> str:
        for path, text in texts.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith(".gz"):
                file.write_bytes(gzip.compress(text.encode()))
            else:
                file.write_text(text)
        return str(tmp_path)

    return make


Tree = t.Callable[[t.Dict[str, str]], str]

DEP = f"lib/modules/{RELEASE}/modules.dep"
FEATURES = {
    "loaded": ({"sys/module/vxlan/refcnt": "0"}, "loaded"),
    "built in by the index": (
        {f"lib/modules/{RELEASE}/modules.builtin": "kernel/drivers/net/vxlan/vxlan.ko\n"},
        "built in",
    ),
    "built in by the configuration": ({"proc/config.gz": "CONFIG_VXLAN=y\n"}, "built in"),
    "built in by the file in /boot": ({f"boot/config-{RELEASE}": "CONFIG_VXLAN=y\n"}, "built in"),
    "loadable": ({DEP: "kernel/drivers/net/vxlan/vxlan.ko.xz: kernel/net/ipv6/ip6_udp_tunnel.ko.xz\n"}, "loadable"),
    "only needed by another": ({DEP: "kernel/net/x.ko: kernel/drivers/net/vxlan/vxlan.ko\n"}, "missing"),
    "not installed": ({"proc/config.gz": "CONFIG_VXLAN=m\n", DEP: "kernel/net/ipip.ko:\n"}, "missing"),
    "left out": ({"proc/config.gz": "# CONFIG_VXLAN is not set\n"}, "missing"),
    "blocked by hardening": (
        {DEP: "kernel/drivers/net/vxlan/vxlan.ko:\n", "etc/modprobe.d/cis.conf": "install vxlan /bin/false\n"},
        "blocked",
    ),
    "blocked for good": (
        {DEP: "kernel/drivers/net/vxlan/vxlan.ko:\n", "proc/sys/kernel/modules_disabled": "1\n"},
        "blocked",
    ),
    "nothing is known": ({}, "unknown"),
}


@pytest.mark.parametrize(("texts", "state"), FEATURES.values(), ids=FEATURES)
def test_a_feature_of_the_kernel(tree: Tree, texts: dict[str, str], state: str) -> None:
    assert kernel_features.read(tree(texts), RELEASE)["features"]["vxlan"] == state


def test_sysctls_by_device_and_at_boot(tree: Tree) -> None:
    conf = "proc/sys/net/ipv4/conf"
    root = tree(
        {
            "proc/sys/net/ipv4/ip_forward": "1\n",
            f"{conf}/all/rp_filter": "1\n",
            f"{conf}/eth0/rp_filter": "0\n",
            f"{conf}/eth0/forwarding": "1\n",
            f"{conf}/cali0123456789a/rp_filter": "1\n",
            "etc/sysctl.d/99-z.conf": "# no\nnet/ipv4/ip_forward = 0\n",
            "etc/sysctl.d/50-a.conf": "net.ipv4.ip_forward=1\nnet.ipv4.tcp_mtu_probing = 1\n",
            "usr/lib/sysctl.d/50-a.conf": "net.ipv4.ip_forward = 0\n",
        }
    )
    found = switches.read(root)
    assert found["rp_filter"] == {"all": 1, "eth0": 0}
    assert switches.effective(found["rp_filter"], "eth0") == 1
    assert found["boot"] == [
        {"file": "/etc/sysctl.d/50-a.conf", "value": "1"},
        {"file": "/etc/sysctl.d/99-z.conf", "value": "0"},
    ]


DEFAULT_LINK = "[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep kernel database\nMACAddressPolicy=persistent\n"
LINKS = {
    "systemd's own": ({"usr/lib/systemd/network/99-default.link": DEFAULT_LINK}, "persistent"),
    "ours before it": (
        {
            "usr/lib/systemd/network/99-default.link": DEFAULT_LINK,
            "etc/systemd/network/10-ours.link": "[Match]\nOriginalName=cali* tunl0\n[Link]\nMACAddressPolicy=none\n",
        },
        "none",
    ),
    "one for all veths": (
        {
            "usr/lib/systemd/network/99-default.link": DEFAULT_LINK,
            "etc/systemd/network/98-veth.link": "[Match]\nDriver=veth\n[Link]\nMACAddressPolicy=none\n",
        },
        "none",
    ),
    "one for a card": (
        {
            "usr/lib/systemd/network/99-default.link": DEFAULT_LINK,
            "etc/systemd/network/10-lan.link": "[Match]\nMACAddress=02:00:00:00:00:01\n[Link]\nName=lan0\n",
        },
        "persistent",
    ),
    "all but ours": ({"etc/systemd/network/1.link": DEFAULT_LINK.replace("=*", "=!cali*")}, ""),
    "masked": (
        {"usr/lib/systemd/network/99-default.link": DEFAULT_LINK, "etc/systemd/network/99-default.link": "[Link]\n"},
        "",
    ),
}


@pytest.mark.parametrize(("texts", "policy"), LINKS.values(), ids=LINKS)
def test_udevs_policy_for_links_of_pods(tree: Tree, texts: dict[str, str], policy: str) -> None:
    assert managers.link_policy(tree(texts))["policy"] == policy


NETWORKD = {
    "default": ({"etc/systemd/networkd.conf": "[Network]\n#ManageForeignRoutes=yes\n"}, False),
    "no": ({"etc/systemd/networkd.conf.d/a.conf": "[Network]\nManageForeignRoutes=no\n"}, True),
    "a later file": (
        {
            "etc/systemd/networkd.conf.d/a.conf": "[Network]\nManageForeignRoutes=no\n",
            "etc/systemd/networkd.conf.d/b.conf": "[Network]\nManageForeignRoutes=yes\n",
        },
        False,
    ),
}


@pytest.mark.parametrize(("texts", "keeps"), NETWORKD.values(), ids=NETWORKD)
def test_whether_networkd_keeps_routes(tree: Tree, texts: dict[str, str], keeps: bool) -> None:
    assert managers.read(tree(texts))["networkd_keeps_routes"] is keeps


def test_settings_of_network_manager_ufw_and_udev(tree: Tree) -> None:
    root = tree(
        {
            "etc/NetworkManager/conf.d/x.conf": "[keyfile]\nunmanaged-devices+=interface-name:cali*;tunl0\n",
            "etc/ufw/ufw.conf": "ENABLED=yes\n",
            "run/udev/control": "",
        }
    )
    found = managers.read(root)
    assert (found["nm_leaves_pods"], found["ufw_enabled"], found["udev"]["runs"]) == (True, True, True)


DOCKER = """# Generated by iptables-nft-save
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -j ACCEPT
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -s 10.244.0.0/16 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
"""
FIREWALLD = """table inet firewalld {
    chain filter_INPUT {
        type filter hook input priority filter + 10; policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        jump filter_INPUT_ZONES
        ct state invalid drop
        reject with icmpx admin-prohibited
    }
    chain filter_INPUT_ZONES {
        tcp dport 22 accept
    }
    chain filter_OUTPUT {
        type filter hook output priority filter + 10; policy accept;
        ip6 daddr ::/96 reject with icmpv6 addr-unreachable
    }
    chain nat_POSTROUTING {
        type nat hook postrouting priority srcnat + 10; policy accept;
        masquerade
    }
}
""".replace("    ", "\t")
PLAIN = """table inet filter {
    set nodes {
        type ipv4_addr
        elements = { 192.0.2.11, 192.0.2.12 }
    }
    chain input {
        type filter hook input priority filter; policy accept;
        tcp dport 22 accept
        counter packets 3 bytes 180 jump last
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
    }
    chain output {
        type filter hook output priority filter; policy accept;
        accept
        drop
    }
    chain last {
        counter packets 0 bytes 0 drop comment "all of it"
    }
}
""".replace("    ", "\t")


def test_iptables_with_docker() -> None:
    (chain,) = ruleset.closed(ruleset.of_iptables(DOCKER))
    assert (chain["table"], chain["chain"], chain["why"]) == ("ip filter", "FORWARD", "policy drop")
    assert chain["chains"] == ["DOCKER", "DOCKER-USER", "FORWARD"]
    assert "-s 10.244.0.0/16 -j ACCEPT" in chain["accepts"]


def test_nftables_of_firewalld() -> None:
    (chain,) = ruleset.closed(ruleset.of_nft(FIREWALLD))
    assert (chain["chain"], chain["hook"]) == ("filter_INPUT", "input")
    assert chain["why"] == "reject with icmpx admin-prohibited"
    assert "tcp dport 22 accept" in chain["accepts"]


def test_nftables_with_a_drop_at_the_end_and_in_another_chain() -> None:
    found = {chain["hook"]: chain["why"] for chain in ruleset.closed(ruleset.of_nft(PLAIN))}
    assert found == {"input": 'counter packets 0 bytes 0 drop comment "all of it"', "forward": "policy drop"}


def test_chains_that_lead_to_one_another_are_no_trap() -> None:
    text = "*filter\n:INPUT ACCEPT [0:0]\n:A - [0:0]\n-A INPUT -j A\n-A A -j INPUT\nCOMMIT\n"
    assert ruleset.closed(ruleset.of_iptables(text)) == []
