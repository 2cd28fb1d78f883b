# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd: does its CRI look for networks and plugins where they are? What it prints of its settings tells.

containerd watches the folder of networks, so it needs no restart when our network comes or changes. Where it looks is
in a file that belongs to the user or the package, and nothing can be put beside it: it is never written here.

Sources: docs/cri/config.md and docs/PLUGINS.md of containerd 1.6, 1.7, 2.0 and 2.1.
"""

from __future__ import annotations

import os

from ansible_collections.podnet.calico.plugins.module_utils.cni import toml
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError

CONFIG = "/etc/containerd/config.toml"
# The table with the settings by name of the plugin, which is another in each version of the file: 3, 2 and 1.
_TABLES = (
    ("plugins", "io.containerd.cri.v1.runtime", "cni"),
    ("plugins", "io.containerd.grpc.v1.cri", "cni"),
    ("plugins", "cri", "cni"),
)
_CRI = ("cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime")
# What containerd uses where its file says nothing.
_NETWORKS, _PLUGINS = "/etc/cni/net.d", "/opt/cni/bin"


def judge(dump: str, config_dir: str, bin_dir: str, path: str = CONFIG) -> None:
    """Raise Conflict if a containerd with these settings would not use networks of config_dir with plugins of bin_dir.

    dump: what `containerd config dump` prints. path: its file, for the message.
    """
    tables = toml.read(dump)
    disabled = [name for name in toml.listed(tables[()].get("disabled_plugins")) if name in _CRI]
    if disabled:
        raise Conflict(
            f"use containerd: its CRI is switched off, disabled_plugins in {path} has {', '.join(disabled)}. "
            "Packages of Docker come so; nothing asks CNI then",
            remedy=f"Take it out of disabled_plugins in {path} and restart containerd; leave cni_runtime at none where "
            "containers are started by nerdctl or `ctr run --cni`",
        )
    name = next((table for table in _TABLES if table in tables), None)
    settings = tables[name] if name else {}
    networks = str(settings.get("conf_dir") or _NETWORKS)
    plugins = [place for key in ("bin_dir", "bin_dirs") for place in toml.listed(settings.get(key))] or [_PLUGINS]
    several = "bin_dirs" in settings
    if _same(networks, config_dir) and _same(plugins[0], bin_dir):
        return
    if _same(networks, config_dir) and any(_same(place, bin_dir) for place in plugins):
        earlier = plugins[: next(index for index, place in enumerate(plugins) if _same(place, bin_dir))]
        in_the_way = [place for place in earlier if os.path.exists(os.path.join(place, "host-local"))]
        if not in_the_way:
            return
        problem = f"it would take plugins from {', '.join(in_the_way)}, before those of {bin_dir}"
    elif _same(networks, config_dir):
        problem = f"it takes plugins from {', '.join(plugins)}, and they are in {bin_dir}"
    else:
        problem = f"it takes networks from {networks}, and ours is in {config_dir}"
    lines = lines_for(name or _TABLES[1], config_dir, bin_dir, several=several)
    raise Conflict(
        f"use containerd: {problem}",
        remedy=f"Have this in {path} and restart containerd, or set cni_bin_dir and cni_config_dir as it has:\n{lines}",
    )


def networks_taken(dump: str) -> int:
    """Return how many files of the folder a containerd with these settings takes, by name; 0 for all of them."""
    tables = toml.read(dump)
    number = next((tables[table].get("max_conf_num") for table in _TABLES if table in tables), None)
    return number if isinstance(number, int) and number >= 0 else 1


def lines_for(table: tuple[str, ...], config_dir: str, bin_dir: str, *, several: bool) -> str:
    """Return the lines of containerd's file; several: whether it takes a list of directories (2.1 and later)."""
    head = f"[{table[0]}.{toml.quoted(table[1])}.{table[2]}]"
    plugins = f"bin_dirs = [{toml.quoted(bin_dir)}]" if several else f"bin_dir = {toml.quoted(bin_dir)}"
    return f"{head}\n  {plugins}\n  conf_dir = {toml.quoted(config_dir)}"


def dumped(status: int, printed: str, said: str) -> str:
    """Return what `containerd config dump` printed; raises DaemonError with what it said where it failed."""
    if status:
        raise DaemonError(
            f"read the settings of containerd: {said.strip() or printed.strip()}",
            remedy=f"Correct {CONFIG} until `containerd config dump` succeeds",
        )
    return printed


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
