# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel can do for a pod network: loaded, built in, loadable, blocked, missing, or not to be known."""

from __future__ import annotations

import gzip
import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight import files

# What Linux calls each feature in its configuration; the module has the feature's name.
FEATURES = {
    "ipip": "CONFIG_NET_IPIP",
    "vxlan": "CONFIG_VXLAN",
    "veth": "CONFIG_VETH",
    "nf_tables": "CONFIG_NF_TABLES",
    "nft_masq": "CONFIG_NFT_MASQ",
    "nft_ct": "CONFIG_NFT_CT",
    "nft_fib_inet": "CONFIG_NFT_FIB_INET",
}


def read(root: str = "/", release: str = "") -> dict[str, t.Any]:
    """Return release (uname -r) and features of the kernel: name to its state."""
    release = release or os.uname().release
    modules = f"/lib/modules/{release}"
    builtin, loadable = (files.text(root, f"{modules}/{name}") for name in ("modules.builtin", "modules.dep"))
    config = _config(root, release)
    locked = files.text(root, "/proc/sys/kernel/modules_disabled").strip() == "1"
    blocked = _blocked(root)
    found = {}
    for name, option in FEATURES.items():
        if files.exists(root, f"/sys/module/{name}"):
            state = "loaded"
        elif _lists(builtin, name) or f"\n{option}=y" in config:
            state = "built in"
        elif _lists(loadable, name):
            state = "blocked" if locked or name in blocked else "loadable"
        else:
            state = "missing" if config or loadable else "unknown"
        found[name] = state
    return {"release": release, "features": found}


def _lists(index: str, name: str) -> bool:
    """Tell whether an index of modules has one."""
    return re.search(rf"^[^:\n]*/{name}\.ko", index, re.MULTILINE) is not None


def _config(root: str, release: str) -> str:
    try:
        with gzip.open(os.path.join(root, "proc/config.gz"), "rt") as file:
            return f"\n{file.read()}"
    except OSError:
        found = files.text(root, f"/boot/config-{release}")
        return f"\n{found}" if found else ""


def _blocked(root: str) -> set[str]:
    """Return modules that modprobe is told not to load, as hardening guides do it (modprobe.d(5))."""
    found: set[str] = set()
    for path in files.dropins(root, ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d"), "*.conf"):
        found |= set(re.findall(r"^\s*install\s+(\S+)\s+\S*/(?:true|false)\b", files.text(root, path), re.MULTILINE))
    return found
