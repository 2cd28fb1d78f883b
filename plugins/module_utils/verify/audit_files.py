# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in an audit: those that roles write as they are, and the container runtime's networks. Reads only."""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import compare
from ansible_collections.podnet.calico.plugins.module_utils.cni import (
    conflist,
    folder,
    network,
    networks,
    plugin_folder,
    runtime,
)
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import (
    FOREIGN,
    MISSING,
    STALE,
    Finding,
    finding,
    of_change,
)
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_blocks import of_ranges

_MORE_NETWORKS = "Set max_conf_num = 1 in containerd's file and restart it, or remove the file"
_NO_PLUGIN = "no pod gets a network, though the container runtime says that it is ready"


def of_files(wanted: t.Mapping[str, str], kind: str = "file") -> list[Finding]:
    """Return the files that are not as they have to be; an empty text stands for no file."""
    there = {path: text for path, text in ((path, _text(path)) for path in wanted) if text is not None}
    expected = {path: text for path, text in wanted.items() if text}
    return [of_change(change, kind) for change in compare("file", there, expected)]


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def of_networks(plan: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> t.Iterator[Finding]:
    """Yield what differs in our network of the container runtime, blocks of other nodes in it, and networks of others.

    options: how the network is described, as the option cni of calico_audit.
    """
    place = options["config_dir"]
    described = conflist.Network(
        name=options["name"],
        version=options["version"],
        ranges=tuple(plan["cni"]["ranges"]),
        excluded=tuple(plan["cni"]["excluded"]),
        mtu=plan["cni"]["mtu"],
        chain=options["chain"],
        node=plan["node"],
        calico=options["calico"],
        extra=tuple(options["extra_plugins"]),
        options=options["list_options"],
    )
    rivals = {rival.file for rival in folder.rivals(place, described.name)}
    for other in folder.others(place):
        path = os.path.join(place, other)
        if "podnet-calico" in other:
            yield finding(STALE, "network", path, "", "there", remedy="Remove the file")
        elif other in rivals and network.is_written(described):
            yield finding(FOREIGN, "network", path, f"nothing before {folder.OURS}", "there")
    number = runtime.networks_of_containerd()
    for rival in folder.taken_too(place, number) if network.is_written(described) else ():
        why = f"containerd takes {number or 'all'} files (max_conf_num); one that it cannot parse ends the network"
        expected = f"nothing but {folder.OURS}"
        yield finding(FOREIGN, "network", os.path.join(place, rival.file), expected, rival.reason, why, _MORE_NETWORKS)
    for path in plugin_folder.missing(folder.plugins(place), options["bin_dir"]):
        yield finding(MISSING, "network", f"plugin {os.path.basename(path)}", path, "", _NO_PLUGIN)
    yield from of_ranges(plan, networks.ranges_within(place, [ipaddress.ip_network(c) for c in plan["nat"]["pools"]]))
    yield from map(of_change, network.differences(described, place, credentials=options["kubeconfig"]))
