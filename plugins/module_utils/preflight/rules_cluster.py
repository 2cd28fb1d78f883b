# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that only a look at all hosts gives: what two of them have in common, or what sets them apart; pure."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import (
    ERROR,
    NOTE,
    WARNING,
    Facts,
    Finding,
    Wanted,
    overlap,
)

Found = t.Iterator[t.Tuple[t.List[str], Finding]]
Hosts = t.Mapping[str, Facts]

APART = 2.0  # seconds


def same(hosts: Hosts, wanted: Wanted) -> Found:
    """Yield hosts that have an address, a hostname or a machine-id in common."""
    for value, names in _shared(hosts, lambda facts: facts["node"]["address"].partition("/")[0]):
        yield (
            names,
            Finding(
                "address-twice",
                ERROR,
                "address",
                f"the same node address, {value}",
                f"{value} on {hosts[names[0]]['node']['device']}",
                "nodes are told apart by it; Vagrant's first network card is 10.0.2.15 everywhere",
                "Set calico_node_address for each host",
            ),
        )
    for value, names in _shared(hosts, lambda facts: facts["hostname"]):
        yield (
            names,
            Finding(
                "hostname-twice",
                ERROR if wanted.calicos_plugin else WARNING,
                "identity",
                f"the same hostname, {value}",
                f"uname -n: {value}",
                "Calico's plugin and the kubelet take it for the node's name",
                "Give each host a name of its own: hostnamectl set-hostname NAME",
            ),
        )
    for value, names in _shared(hosts, lambda facts: facts["machine_id"]):
        yield (
            names,
            Finding(
                "machine-id-twice",
                WARNING,
                "identity",
                "the same machine-id",
                f"/etc/machine-id: {value}",
                "systemd makes MACs and DHCP identities of it: hosts that were cloned get the same ones",
                "rm /etc/machine-id; systemd-machine-id-setup; reboot",
            ),
        )


def _shared(hosts: Hosts, key: t.Callable[[Facts], str]) -> t.Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for name, facts in hosts.items():
        found.setdefault(key(facts), []).append(name)
    return ((value, names) for value, names in found.items() if value and len(names) > 1)


def clocks(hosts: Hosts, wanted: Wanted) -> Found:
    """Yield hosts whose clocks are certainly apart: bounds of their offsets to the control machine in seconds say so.

    A host's facts have earliest and latest if they were measured.
    """
    bounds = {
        name: (facts["clock"]["earliest"], facts["clock"]["latest"])
        for name, facts in hosts.items()
        if facts["clock"].get("earliest") is not None
    }
    if len(bounds) > 1:
        behind = min(bounds, key=lambda name: bounds[name][1])
        ahead = max(bounds, key=lambda name: bounds[name][0])
        apart = bounds[ahead][0] - bounds[behind][1]
        if apart > APART:
            middle = {name: (low + high) / 2 for name, (low, high) in bounds.items()}
            usual = sorted(middle.values())[(len(middle) - 1) // 2]
            names = [name for name in bounds if abs(middle[name] - usual) > APART] or [behind, ahead]
            yield (
                names,
                Finding(
                    "clock-apart",
                    WARNING,
                    "clock",
                    f"clocks differ by {apart:.0f} s",
                    f"{behind} is behind {ahead}",
                    "certificates are not valid yet or any more, logs do not fit together, etcd complains",
                    "Run chrony or systemd-timesyncd on all hosts",
                ),
            )
    adrift = [name for name, facts in hosts.items() if facts["clock"]["synchronised"] is False]
    if adrift:
        yield (
            adrift,
            Finding(
                "clock-unsynchronised",
                NOTE,
                "clock",
                "nothing keeps the clock right",
                "the kernel says that it is not synchronised",
                "it will drift away from the others'",
                "Run chrony or systemd-timesyncd",
            ),
        )


def mtus(hosts: Hosts, wanted: Wanted) -> Found:
    """Yield hosts whose underlay carries less than that of others, where pods take what fits."""
    found = {}
    for name, facts in hosts.items():
        device = facts["node"]["towards_device"] or facts["node"]["device"]
        found[name] = next((row["mtu"] for row in facts["links"] if row["name"] == device), 0)
    sizes = sorted(set(found.values()) - {0})
    if len(sizes) > 1 and not wanted.mtu:
        names = [name for name, size in found.items() if 0 < size < sizes[-1]]
        yield (
            names,
            Finding(
                "mtu-differs",
                ERROR,
                "mtu",
                f"the network card carries {' or '.join(map(str, sizes[:-1]))} bytes, that of others {sizes[-1]}",
                ", ".join(f"{name}: {found[name]}" for name in names[:4]),
                "pods would get different MTUs, and large packets to the smaller ones be lost: deploy refuses it",
                f"Set calico_mtu to {sizes[0] - wanted.overhead} for all hosts, or make the cards alike",
            ),
        )


def pools(hosts: Hosts, wanted: Wanted) -> Found:
    """Yield ranges that overlap one another, whatever the hosts have."""
    named = [("pool", str(pool.cidr)) for pool in wanted.pools] + [("service range", cidr) for cidr in wanted.services]
    for (one, first), (other, second) in itertools.combinations(named, 2):
        if overlap(first, second):
            yield (
                list(hosts),
                Finding(
                    "range-twice",
                    ERROR,
                    "ranges",
                    f"{one} {first} and {other} {second} overlap",
                    "both are in the inventory",
                    "an address would be a pod's and something else's at the same time",
                    "Choose another range for one of them",
                ),
            )


RULES = (same, clocks, mtus, pools)
