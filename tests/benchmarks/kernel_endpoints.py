# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod endpoints: many in one call against `ip -batch` and a CNI plugin, and found unchanged."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import engine
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, ratio, worst
from ansible_collections.podnet.calico.tests.benchmarks.measure import (
    Bench,
    Cost,
    MeasuringFailed,
    command,
    cpu,
    forked,
    wall,
)
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS, Entry, Host, expect, pods

CNI = "/usr/lib/cni"


def made(bench: Bench, *, number: int, label: str) -> dict[str, Sample]:
    """Make endpoints with their namespaces: the engine in a warm process against `ip -batch`; CPU and wall."""
    entries = pods(bench.size(number))
    script = _ip_script(bench, entries)

    def ours() -> Cost:
        with Host() as host:
            cost = _engine(entries, host, changes=True)
            host.expect_routes(len(entries))
        return cost

    def theirs() -> Cost:
        with Host() as host:
            cost = command(["sh", "-e", str(script)], netns=host.path)
            host.expect_routes(len(entries))
        return cost

    costs = bench.interleave({"engine": ours, "ip -batch": theirs}, warm=number < 1000)
    by_wall = ratio(wall(costs["engine"]), wall(costs["ip -batch"]))
    by_cpu = ratio(cpu(costs["engine"]), cpu(costs["ip -batch"]))
    name = f"kernel.veth_{label}_vs_ip_batch"
    return {name: worst([by_wall, by_cpu]), f"{name}_wall": by_wall, f"{name}_cpu": by_cpu}


def _engine(entries: t.Sequence[Entry], host: Host, *, changes: bool) -> Cost:
    cost = forked(lambda: engine.make_endpoints(entries), netns=host.path)
    expect(cost.answer, changes, "the engine changed something")
    return cost


def _ip_script(bench: Bench, entries: t.Sequence[Entry]) -> Path:
    """Write a shell script that makes the same by `ip`, with as few processes as it allows.

    One batch makes all namespaces and pairs, one sets up the host's ends; each namespace needs a process of its own,
    as `ip` cannot change it within a batch. The shell itself writes the sysctl.
    """
    pairs, ends, sysctls, inside = [], [], [], []
    for index, entry in enumerate(entries):
        link, netns, address = f"cali{index:011x}", entry["netns"], entry["addresses"][0]
        mtu = f"mtu {entry['mtu']}"
        pairs.append(f"netns add {netns}")
        pairs.append(
            f"link add name {link} address ee:ee:ee:ee:ee:ee {mtu} type veth peer name eth0 {mtu} netns {netns}"
        )
        ends.append(f"link set {link} up")
        ends.append(f"route add {address}/32 dev {link} scope link proto 98")
        sysctls.append(f"echo 1 >/proc/sys/net/ipv4/conf/{link}/proxy_arp")
        setting = (
            "link set lo up",
            "link set eth0 up",
            f"addr add {address}/32 dev eth0",
            "route add 169.254.1.1 dev eth0 scope link",
            "route add default via 169.254.1.1 dev eth0",
        )
        inside.append(f"ip -n {netns} -batch {bench.file(f'inside/{netns}', _lines(setting))}")
    script = [
        f"ip -batch {bench.file('pairs.batch', _lines(pairs))}",
        *inside,
        f"ip -batch {bench.file('ends.batch', _lines(ends))}",
        *sysctls,
    ]
    return bench.file("endpoints.sh", _lines(script))


def _lines(rows: t.Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def against_cni(bench: Bench, *, number: int) -> dict[str, Sample]:
    """Make endpoints: the engine in one call against the CNI plugin ptp with host-local, once for each; wall."""
    if not os.access(f"{CNI}/ptp", os.X_OK):
        raise MeasuringFailed(f"{CNI}/ptp is missing: install the package containernetworking-plugins")
    entries = pods(bench.size(number))

    def ours() -> Cost:
        with Host() as host:
            cost = _engine(entries, host, changes=True)
            host.expect_routes(len(entries))
        return cost

    def theirs() -> Cost:
        script = _cni_script(bench, entries)
        with Host() as host:
            cost = command(["sh", "-e", str(script)], netns=host.path)
            expect(cost.answer.count('"cniVersion"'), len(entries), "endpoints that the CNI plugin reports")
        return cost

    costs = bench.interleave({"engine": ours, "CNI": theirs})
    return {"kernel.veth_200_vs_cni": ratio(wall(costs["engine"]), wall(costs["CNI"]))}


def _cni_script(bench: Bench, entries: t.Sequence[Entry]) -> Path:
    """Write a shell script that calls the plugin as a container runtime does, with an empty store of addresses."""
    store = bench.scratch / "cni"
    if store.is_dir():
        for path in sorted(store.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    ipam = {"type": "host-local", "subnet": "10.244.0.0/16", "dataDir": str(store)}
    setting = {"cniVersion": "0.4.0", "name": "bench", "type": "ptp", "ipMasq": False, "mtu": 1450, "ipam": ipam}
    conf = bench.file("ptp.json", json.dumps(setting))
    namespaces = bench.file("namespaces.batch", _lines(f"netns add {entry['netns']}" for entry in entries))
    calls = (
        f"CNI_CONTAINERID=bench{index} CNI_NETNS={NETNS / entry['netns']} {CNI}/ptp <{conf}"
        for index, entry in enumerate(entries)
    )
    setup = f"export CNI_COMMAND=ADD CNI_IFNAME=eth0 CNI_PATH={CNI}"
    return bench.file("cni.sh", _lines([f"ip -batch {namespaces}", setup, *calls]))


def unchanged(bench: Bench, *, number: int) -> dict[str, Sample]:
    """Find endpoints as they should be: the engine against links, addresses and routes shown by `ip` in each; CPU."""
    entries = pods(bench.size(number))
    show = bench.file("show.batch", _lines(("link show", "addr show", "route show")))
    script = bench.file("show.sh", _lines(f"ip -n {entry['netns']} -j -batch {show}" for entry in entries))
    with Host() as host:
        _engine(entries, host, changes=True)

        def theirs() -> Cost:
            cost = command(["sh", "-e", str(script)], netns=host.path)
            expect(cost.answer.count('"dst":"default"'), len(entries), "default routes that ip shows")
            return cost

        costs = bench.interleave({"engine": lambda: _engine(entries, host, changes=False), "ip -j": theirs})
    return {"kernel.veth_verify_vs_ip": ratio(cpu(costs["engine"]), cpu(costs["ip -j"]))}
