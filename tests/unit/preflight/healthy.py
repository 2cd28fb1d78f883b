# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A healthy host as calico_preflight_info sees it, to be broken one thing at a time."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight import kernel_features
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import Wanted
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool

Facts = t.Dict[str, t.Any]

_OFF = {"active": False, "enabled": False}


def host(number: int = 1) -> Facts:
    """Return the facts of a host on which nothing is wrong."""
    address = f"192.0.2.{10 + number}"
    return {
        "hostname": f"node{number}",
        "machine_id": f"{number:032x}",
        "kernel": {
            "release": "6.1.0-18-amd64",
            "features": dict.fromkeys(kernel_features.FEATURES, "loadable"),
        },
        "links": [
            {"name": "lo", "kind": "", "up": True, "mtu": 65536, "ours": False, "driver": ""},
            {"name": "eth0", "kind": "", "up": True, "mtu": 1500, "ours": False, "driver": "virtio_net"},
        ],
        "addresses": [
            {
                "address": f"{address}/24",
                "device": "eth0",
                "scope": 0,
                "secondary": False,
                "noprefixroute": False,
                "label": "eth0",
                "state": "",
            }
        ],
        "routes": [route("0.0.0.0/0", gateway=True)],
        "node": {
            "asked": "",
            "address": f"{address}/24",
            "device": "eth0",
            "towards": address,
            "towards_device": "eth0",
        },
        "rules": [rule(0, 255), rule(32766, 254), rule(32767, 253)],
        "pod_gateway": True,
        "sysctl": {
            "ip_forward": "1",
            "rp_filter": {"all": 0, "default": 2, "eth0": 2, "lo": 2},
            "forwarding": {"all": 1, "default": 1, "eth0": 1, "lo": 1},
            "boot": [{"file": "/etc/sysctl.d/90-podnet-calico.conf", "value": "1"}],
        },
        "advertised": {},
        "firewall": {
            "tools": {"iptables": "nf_tables", "ip6tables": "nf_tables"},
            "rules": {"legacy": 0, "nft": 0},
            "closed": [],
            "foreign_chains": [],
        },
        "units": {"nftables.service": dict(_OFF), "systemd-networkd.service": {"active": True, "enabled": True}},
        "managers": {
            "networkd_keeps_routes": True,
            "nm_leaves_pods": False,
            "ufw_enabled": False,
            "udev": {"runs": True, "policy": "none", "file": "/etc/systemd/network/10-podnet-calico.link"},
        },
        "offloads": {"tx-checksum-ip-generic": True, "tx-udp_tnl-segmentation": False},
        "cni": {
            "rivals": [],
            "taken": 1,
            "taken_too": [],
            "missing_plugins": [],
            "links": [],
            "routes": 0,
            "traces": [],
        },
        "clock": {"now": 1795644580.0, "synchronised": True, "earliest": -0.3, "latest": 0.4},
    }


def route(
    destination: str,
    device: str = "eth0",
    protocol: int = 2,
    *,
    gateway: bool = False,
    table: int = 254,
    throw: bool = False,
) -> Facts:
    """Return a route, of the main table if nothing else is said."""
    return {
        "destination": destination,
        "devices": [device],
        "gateway": gateway,
        "protocol": protocol,
        "table": table,
        "throw": throw,
    }


def rule(priority: int, table: int, source: str = "0.0.0.0/0", to: str = "0.0.0.0/0", suppress: int = -1) -> Facts:
    """Return a rule of policy routing."""
    version = 6 if ":" in source + to else 4
    return {
        "version": version,
        "priority": priority,
        "from": source,
        "to": to,
        "table": table,
        "suppress": suppress,
    }


def address(text: str, device: str = "eth0", **more: t.Any) -> Facts:
    """Return an address of a host."""
    plain = {"scope": 0, "secondary": False, "noprefixroute": False, "label": device, "state": ""}
    return {"address": text, "device": device, **plain, **more}


def link(name: str, kind: str = "", mtu: int = 1500, driver: str = "") -> Facts:
    """Return a link of somebody else."""
    return {"name": name, "kind": kind, "up": True, "mtu": mtu, "ours": False, "driver": driver}


def closed(hook: str, *accepts: str, **more: t.Any) -> Facts:
    """Return a chain that drops what nothing accepts."""
    chain = {"tool": "nft", "table": "inet filter", "chain": hook, "hook": hook, "why": "policy drop"}
    return {**chain, "accepts": list(accepts), "chains": [hook], **more}


def hosts(count: int = 3) -> dict[str, Facts]:
    """Return healthy hosts by name."""
    return {f"node{number}": copy.deepcopy(host(number)) for number in range(1, count + 1)}


def wanted(encapsulation: str = "VXLANCrossSubnet", cidr: str = "10.244.0.0/16", **more: t.Any) -> Wanted:
    """Return what is wanted with one pool."""
    pool = {"name": "default", "cidr": cidr, "encapsulation": encapsulation, "nat_outgoing": True}
    given = {"bgp": encapsulation.startswith(("None", "IPIP")), "nodes": tuple(f"192.0.2.{n}" for n in (11, 12, 13))}
    return Wanted(**{"pools": (IPPool.from_document(options.ippool(pool)),), **given, **more})
