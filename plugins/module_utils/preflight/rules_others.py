# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about firewalls, network managers and other pod networks of one host; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import (
    ERROR,
    NOTE,
    WARNING,
    Facts,
    Finding,
    Wanted,
    network,
)

_CIDR = re.compile(r"(?<![\w.:])(\d+\.\d+\.\d+\.\d+(?:/\d+)?)")
_PORTS = re.compile(
    r"\b(dport|dports|sport|port|ports|protocol|l4proto|icmp|icmpv6|ct|ctstate|state|iifname|iif)\b|-[pio] "
)
_BARE = re.compile(r"(-j )?accept", re.IGNORECASE)


def forward(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield chains that drop what is forwarded to and from pods."""
    pools = [str(pool.cidr) for pool in wanted.pools if pool.cidr.version == 4]
    for chain in facts["firewall"]["closed"]:
        if chain["hook"] != "forward" or chain["table"].startswith("ip6"):
            continue
        if any("cali" in rule or _is_open(rule) or any(pool in rule for pool in pools) for rule in chain["accepts"]):
            continue
        pool = pools[0] if pools else "the pool"
        yield Finding(
            "forward-dropped",
            ERROR,
            "firewall",
            f"{_owner(chain)} drops what is forwarded to pods",
            _where(chain),
            "pods of one node reach each other at best, those of other nodes never",
            _remedy(facts, chain, f"accept packets from and to {pool}"),
        )


def inward(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield chains that drop what other nodes send to this one, and name what nothing there accepts."""
    needed = [
        (
            "IP protocol 4",
            wanted.ipip,
            r"protocol (4|ipencap|ipip)\b|-p (4|ipencap|ipip|ipv4)\b|l4proto (4|ipencap|ipip)\b",
        ),
        ("UDP 4789", wanted.vxlan, r"\b4789\b"),
        ("TCP 179", wanted.bgp, r"\b(179|bgp)\b"),
    ]
    for chain in facts["firewall"]["closed"]:
        if chain["hook"] == "forward" or chain["table"].startswith("ip6"):
            continue
        open_to_nodes = any(_is_open(rule) or _is_for_nodes(rule, wanted.nodes) for rule in chain["accepts"])
        shut = [name for name, used, text in needed if used and not any(re.search(text, r) for r in chain["accepts"])]
        if open_to_nodes or not shut:
            continue
        comes, way = ("comes in", "let in") if chain["hook"] == "input" else ("goes out", "let out")
        opening = " and ".join(shut)
        yield Finding(
            f"{chain['hook']}-dropped",
            WARNING,
            "firewall",
            f"{_owner(chain)} accepts no {opening.replace(' and ', ' or ')} that {comes}",
            _where(chain),
            f"{wanted.in_words} needs it between all nodes; the probe tells whether it passes",
            _remedy(facts, chain, f"{way} {opening}"),
        )


def _remedy(facts: Facts, chain: Facts, by_hand: str) -> str:
    """Return what opens a chain: the playbook, or a rule of one's own where something else than its owner is managed.

    by_hand: what that rule has to do.
    """
    playbook, owner = "Run podnet.calico.firewall", _owner(chain)
    if owner == "firewalld" and chain["hook"] == "output":
        return f"By hand, in the policy of yours for HOST: {by_hand}"
    if owner in ("firewalld", "ufw"):
        return playbook
    beside = "firewalld" if facts["units"].get("firewalld.service", {}).get("active") else ""
    beside = beside or ("ufw" if facts["managers"]["ufw_enabled"] else "")
    if beside:
        where = "DOCKER-USER" if owner == "Docker" else f"chain {chain['chain']} of table {chain['table']}"
        return f"By hand, at each boot, as podnet.calico.firewall opens {beside} only: {by_hand} in {where}"
    return f"{playbook} with firewall_insert=true"


def _is_open(rule: str) -> bool:
    """Tell whether a rule accepts everything."""
    bare = re.sub(r"counter( packets \d+ bytes \d+)?|-m comment --comment (\"[^\"]*\"|\S+)", "", rule)
    return _BARE.fullmatch(" ".join(bare.split())) is not None


def _is_for_nodes(rule: str, nodes: t.Sequence[str]) -> bool:
    """Tell whether a rule accepts everything from networks that hold all nodes."""
    if not nodes or not re.search(r"saddr|-s ", rule) or _PORTS.search(rule):
        return False
    given = [network(text) for text in _CIDR.findall(rule)]
    return all(any(network(node).subnet_of(each) for each in given) for node in nodes if "." in node)


def _where(chain: Facts) -> str:
    return f"{chain['tool']}, table {chain['table']}, chain {chain['chain']}: {chain['why']}"


def _owner(chain: Facts) -> str:
    names = " ".join(chain["chains"])
    if "firewalld" in chain["table"] or "_direct" in names:
        return "firewalld"
    if "ufw" in names:
        return "ufw"
    if "DOCKER" in names:
        return "Docker"
    return "nftables" if chain["tool"] == "nft" else "iptables"


def mixed(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield a host on which two tools keep rules that do not know of each other."""
    rules = facts["firewall"]["rules"]
    if rules["legacy"] and rules["nft"]:
        tools = ", ".join(f"{tool} is {kind}" for tool, kind in facts["firewall"]["tools"].items())
        yield Finding(
            "iptables-mixed",
            WARNING,
            "firewall",
            "iptables has rules in both of its backends",
            f"legacy: {rules['legacy']}, nft: {rules['nft']}; {tools or 'no iptables in the path'}",
            "a packet has to pass both, and `iptables -L` shows one of them only",
            "Remove the rules of the one that is not used: iptables-legacy -F, -X for its tables, or a reboot",
        )
    managers = [unit for unit in ("firewalld.service", "ufw.service") if facts["units"].get(unit, {}).get("active")]
    if len(managers) > 1:
        yield Finding(
            "firewalls-several",
            WARNING,
            "firewall",
            "two firewall managers run",
            f"active: {', '.join(managers)}",
            "each rewrites the rules of the other",
            "Stop and disable one of them",
        )


def managers(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield network managers that take routes, rules or links of ours."""
    units, settings = facts["units"], facts["managers"]
    cloud = [name for name in ("nm-cloud-setup.service", "nm-cloud-setup.timer") if _lives(units.get(name))]
    if cloud:
        yield Finding(
            "nm-cloud-setup",
            WARNING,
            "managers",
            "nm-cloud-setup changes addresses, routes and rules",
            f"{', '.join(cloud)} is active or enabled",
            "its rules send pods' packets by the wrong table",
            "systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer, then reboot",
        )
    if _lives(units.get("systemd-networkd.service")) and not settings["networkd_keeps_routes"]:
        yield Finding(
            "networkd-routes",
            NOTE,
            "managers",
            "systemd-networkd deletes routes that are not its own",
            "ManageForeignRoutes is not no",
            "each restart of it would take the pods' routes away",
            "deploy writes /etc/systemd/networkd.conf.d/podnet-calico.conf",
            fixable=True,
        )
    if _lives(units.get("NetworkManager.service")) and not settings["nm_leaves_pods"]:
        yield Finding(
            "nm-pods",
            NOTE,
            "managers",
            "NetworkManager takes pods' links for its own",
            "cali* is not among its unmanaged-devices",
            "it may take addresses and routes of pods' links away",
            "deploy writes /etc/NetworkManager/conf.d/podnet-calico.conf",
            fixable=True,
        )


def _lives(unit: t.Mapping[str, bool] | None) -> bool:
    return bool(unit and (unit["active"] or unit["enabled"]))


def udev(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield a udev that gives pods' links other MACs than they were made with."""
    found = facts["managers"]["udev"]
    if found["runs"] and found["policy"] == "persistent":
        yield Finding(
            "udev-mac",
            WARNING if wanted.calicos_plugin else NOTE,
            "udev",
            "udev gives pods' links a MAC of its own",
            f"MACAddressPolicy=persistent for cali* in {found['file']}",
            "where it comes after the plugin, pods keep the old MAC of their gateway for a minute",
            "A .link file for cali* with MACAddressPolicy=none",
            fixable=True,
        )


def leftovers(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield what other pod networks have, or have left."""
    cni, chains = facts["cni"], facts["firewall"]["foreign_chains"]
    if cni["rivals"]:
        yield Finding(
            "cni-rival",
            WARNING,
            "leftovers",
            "another network of the container runtime stands before ours",
            "; ".join(f"{each['file']} {each['reason']}" for each in cni["rivals"]),
            "pods get an address of that network",
            "Remove the file, or set cni_exclusive",
        )
    if cni["taken_too"]:
        yield Finding(
            "cni-several",
            WARNING,
            "leftovers",
            "containerd takes more networks than ours",
            f"max_conf_num = {cni['taken']}: {'; '.join(' '.join(each.values()) for each in cni['taken_too'])}",
            "each is one more network of every pod, and one that cannot be parsed takes the network from the node",
            "Set max_conf_num = 1 in containerd's file and restart it, or remove the file",
        )
    if cni["missing_plugins"]:
        yield Finding(
            "cni-plugin-missing",
            WARNING,
            "leftovers",
            "our list of plugins names one that is not there",
            ", ".join(cni["missing_plugins"]),
            "no pod gets a network, though the container runtime says that it is ready",
            "podnet.calico.deploy installs the reference plugins; others are yours to install, see docs/cni-plugins.md",
        )
    for kind, evidence, remedy in (
        ("links", cni["links"], "Reset that network with its own tool, or ip link delete"),
        ("chains", chains, "Remove the chains and the rules that lead to them, or reboot"),
        ("routes", [f"{cni['routes']} routes with protocol 80"] if cni["routes"] else [], "ip route flush proto 80"),
    ):
        if evidence:
            shown = ", ".join(evidence[:6]) + (f" and {len(evidence) - 6} more" if len(evidence) > 6 else "")
            yield Finding(
                f"leftover-{kind}",
                WARNING,
                "leftovers",
                f"{kind} of another pod network are there",
                shown,
                "they take or drop packets of pods; or that network is still in use",
                remedy,
            )
    if cni["traces"]:
        yield Finding(
            "leftover-files",
            NOTE,
            "leftovers",
            "files of another pod network are there",
            ", ".join(cni["traces"]),
            "an old node name or configuration may come back to life",
            "Remove them if that network is gone",
        )


RULES = (forward, inward, mixed, managers, udev, leftovers)
