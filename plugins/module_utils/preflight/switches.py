# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls that decide about packets of pods: as they are, and what files set at the next boot."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight import files

_CONF = "/proc/sys/net/ipv4/conf"
_FORWARD = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding")
# sysctl.d(5); /etc/sysctl.conf is read through the link 99-sysctl.conf of a distribution, if there is one.
_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")


def read(root: str = "/") -> dict[str, t.Any]:
    """Return rp_filter and forwarding by device ("all" and "default" among them), and files against forwarding.

    boot: files that set ip_forward at boot, in order, each with its value.
    """
    return {
        "ip_forward": files.text(root, "/proc/sys/net/ipv4/ip_forward").strip(),
        "rp_filter": _per_device(root, "rp_filter"),
        "forwarding": _per_device(root, "forwarding"),
        "boot": [{"file": path, "value": value} for path, value in _at_boot(root)],
    }


def effective(values: t.Mapping[str, int], device: str) -> int:
    """Return the rp_filter that the kernel uses: the greater one of a device's and that of all (Linux, ip-sysctl)."""
    return max(values.get("all", 0), values.get(device, 0))


def _per_device(root: str, name: str) -> dict[str, int]:
    folder = os.path.join(root, _CONF.lstrip("/"))
    try:
        devices = sorted(os.listdir(folder))
    except OSError:
        return {}
    values = ((device, files.text(folder, f"{device}/{name}").strip()) for device in devices)
    return {device: int(value) for device, value in values if value.isdecimal() and not _is_of_pod(device)}


def _is_of_pod(device: str) -> bool:
    return re.fullmatch(r"cali[0-9a-f]{11}", device) is not None


def _at_boot(root: str) -> t.Iterator[tuple[str, str]]:
    for path in files.dropins(root, _FOLDERS, "*.conf"):
        for line in files.text(root, path).splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and name.strip().lstrip("-").strip().replace("/", ".") in _FORWARD:
                yield path, value.strip()
