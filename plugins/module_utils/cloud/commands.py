# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact commands of the clouds' own tools that make the conditions of modes true; pure."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud import platforms

Facts = t.Mapping[str, t.Any]
_PORTS = {"ipip": "4", "vxlan": "udp:4789"}


def _join(*words: str) -> str:
    return shlex.join(words)


def _or(value: t.Any, place: str) -> str:
    """Return a value, or a word in capitals for the reader to replace."""
    return str(value) if value else place


def of_platform(platform: str, facts: t.Sequence[Facts], kinds: t.Collection[str], pools: t.Sequence[str]) -> list[str]:
    """Return the commands that are needed once for all nodes of a platform, which are those for rules of firewalls.

    facts: metadata of the nodes that have it. pools: the ranges of pods.
    """
    first = facts[0] if facts else {}
    if platform == platforms.GOOGLE:
        ports = [_PORTS[kind] for kind in sorted(kinds) if kind in _PORTS]
        network = next((nic["subnet"] for nic in first.get("interfaces", [])), "")
        rule = ("gcloud", "compute", "firewall-rules", "create")
        place = (f"--project={_or(first.get('project'), 'PROJECT')}", f"--network={_or(network, 'NETWORK')}")
        allow, target = f"--allow={','.join([*ports, 'tcp:179'])}", "--target-tags=TAG-OF-NODES"
        made = [_join(*rule, "podnet-calico-nodes", *place, allow, "--source-tags=TAG-OF-NODES", target)]
        if "direct" in kinds:
            sources = f"--source-ranges={','.join(pools)}"
            made.append(_join(*rule, "podnet-calico-pods", *place, "--allow=all", sources, target))
        return made
    if platform == platforms.OPENSTACK:
        group = ("--remote-group", "GROUP-OF-NODES", "GROUP-OF-NODES")
        create = ("openstack", "security", "group", "rule", "create")
        found = [_join(*create, "--protocol", "4", *group)] if "ipip" in kinds else []
        vxlan = ("--protocol", "udp", "--dst-port", "4789")
        found += [_join(*create, *vxlan, *group)] if "vxlan" in kinds else []
        pods = [("--protocol", "any", "--remote-ip", pool) for pool in pools] if "direct" in kinds else []
        return [*found, *(_join(*create, *each, "GROUP-OF-NODES") for each in pods)]
    return []


def of_host(platform: str, facts: Facts | None, kinds: t.Collection[str], pools: t.Sequence[str]) -> list[str]:
    """Return the commands that one node needs for packets with pods' addresses; pools: the ranges of pods."""
    known = facts or {}
    if "direct" not in kinds or platform not in _DIRECT:
        return []
    return _DIRECT[platform](known, pools)


def _azure(facts: Facts, pools: t.Sequence[str]) -> list[str]:
    group, name = _or(facts.get("group"), "GROUP"), _or(facts.get("name"), "MACHINE")
    show = _join("az", "vm", "show", "-g", group, "-n", name, "-o", "tsv")
    query = "--query 'networkProfile.networkInterfaces[].id'"
    return [f"az network nic update --ip-forwarding true --ids $({show} {query})"]


def _google(facts: Facts, pools: t.Sequence[str]) -> list[str]:
    name = _or(facts.get("name"), "MACHINE")
    at = [f"--project={_or(facts.get('project'), 'PROJECT')}", f"--zone={_or(facts.get('zone'), 'ZONE')}"]
    base = ("gcloud", "compute", "instances")
    file = f"{name}.yml"
    return [
        _join(*base, "export", name, *at, f"--destination={file}"),
        _join("sed", "-i", "/^canIpForward:/d;$a canIpForward: true", file),
        # gcloud refuses what interrupts the machine more than this.
        _join(*base, "update-from-file", name, *at, f"--source={file}", "--most-disruptive-allowed-action=REFRESH"),
    ]


def _openstack(facts: Facts, pools: t.Sequence[str]) -> list[str]:
    ports = [nic["id"] for nic in facts.get("interfaces", []) if nic["id"]] or ["PORT"]
    pairs = [word for pool in pools or ["POOL"] for word in ("--allowed-address", f"ip-address={pool}")]
    return [_join("openstack", "port", "set", *pairs, port) for port in ports]


_DIRECT: dict[str, t.Callable[[Facts, t.Sequence[str]], list[str]]] = {
    platforms.AZURE: _azure,
    platforms.GOOGLE: _google,
    platforms.OPENSTACK: _openstack,
}
