# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman and CRI-O: a file of ours beside theirs says where networks and plugins are.

Sources: containers.conf(5), podman-network(1), crio.conf(5), crio.conf.d(5).
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import toml
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

PODMAN = "/etc/containers/containers.conf.d/50-podnet-calico.conf"
CRIO = "/etc/crio/crio.conf.d/50-podnet-calico.conf"
_LAST_WITH_CNI = 4
# Where Podman has written down which backend it uses, if its settings do not say it, and which containers there are.
_STORAGE = "/var/lib/containers/storage"
_PODMAN_PLUGINS = (
    "/usr/local/libexec/cni",
    "/usr/libexec/cni",
    "/usr/local/lib/cni",
    "/usr/lib/cni",
    "/opt/cni/bin",
)
_TABLES = {PODMAN: ("network",), CRIO: ("crio", "network")}


def podman_text(config_dir: str, bin_dir: str) -> str:
    """Return Podman's file. Plugins are looked for in our directory first, then in Podman's own."""
    places = list(dict.fromkeys([bin_dir, *_PODMAN_PLUGINS]))
    return (
        f"{HEADER}\n"
        "# Podman takes its networks from CNI's configuration lists, as runtimes of Kubernetes do.\n[network]\n"
        f'network_backend = "cni"\n{_directories("cni_plugin_dirs", places)}'
        f"network_config_dir = {toml.quoted(config_dir)}\n"
    )


def crio_text(config_dir: str, bin_dir: str) -> str:
    """Return CRI-O's file."""
    return (
        f"{HEADER}\n[crio.network]\nnetwork_dir = {toml.quoted(config_dir)}\n{_directories('plugin_dirs', [bin_dir])}"
    )


def _directories(key: str, places: t.Iterable[str]) -> str:
    return f"{key} = [{', '.join(toml.quoted(place) for place in places)}]\n"


def refuse_podman(version: str) -> None:
    """Raise InvalidInput for a Podman without CNI. version: what `podman --version` prints."""
    found = re.search(r"(\d+)\.\d+", version)
    if found is None:
        raise DaemonError(f"ask Podman for its version: it says {version.strip() or 'nothing'}")
    if int(found[1]) > _LAST_WITH_CNI:
        raise InvalidInput(
            f"use {version.strip()} with CNI: Podman has no CNI from version 5 on, it knows its own Netavark alone",
            remedy="Take containerd or CRI-O for containers on the pod network, or Podman 4",
        )


def refuse_netavark(storage: str = _STORAGE) -> None:
    """Raise Conflict if there are containers that Podman has connected by Netavark: it could not stop those."""
    backend = _content(os.path.join(storage, "defaultNetworkBackend")).strip()
    files = glob.glob(os.path.join(glob.escape(storage), "*-containers", "containers.json"))
    if backend == "netavark" and any(_content(path).strip() not in ("", "[]", "null") for path in files):
        raise Conflict(
            "have Podman use CNI: there are containers on networks of Netavark, which has to take them down",
            remedy="Remove them with `podman rm --all --force`, deploy, and make them again",
        )


def refuse_others(path: str, text: str) -> None:
    """Raise Conflict if a file in the folder of ours keeps what ours says from being used: a later one by name wins.

    path, text: of our file.
    """
    table, ours = _TABLES[path], toml.read(text)
    for other in sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), "*.conf"))):
        theirs = toml.read(_content(other)).get(table, {})
        if os.path.basename(other) > os.path.basename(path):
            for key, value in ours[table].items():
                if key in theirs and theirs[key] != value:
                    raise Conflict(
                        f"write {path}: {other} comes after it and has another {key}",
                        remedy=f"Take {key} out of {other}",
                    )


def refuse_another_network(name: str, folder: str = "/etc/crio") -> None:
    """Raise Conflict if CRI-O is told to use a network of another name; without that it uses the first one."""
    files = [os.path.join(folder, "crio.conf"), *sorted(glob.glob(os.path.join(folder, "crio.conf.d", "*.conf")))]
    found = [(toml.read(_content(path)).get(_TABLES[CRIO], {}).get("cni_default_network"), path) for path in files]
    said = [(value, path) for value, path in found if value is not None]
    if said and said[-1][0] not in ("", name):
        value, path = said[-1]
        raise Conflict(
            f"use CRI-O: cni_default_network in {path} is {value}, so it never uses {name}",
            remedy=f"Take cni_default_network out of {path}, or set it to {name}",
        )


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
