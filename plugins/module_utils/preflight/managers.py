# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else manages this host's network: units, settings of systemd-networkd and NetworkManager, udev's .link files."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import systemd
from ansible_collections.podnet.calico.plugins.module_utils.preflight import files

UNITS = (
    "firewalld.service",
    "ufw.service",
    "nftables.service",
    "NetworkManager.service",
    "systemd-networkd.service",
    "nm-cloud-setup.service",
    "nm-cloud-setup.timer",
    "docker.service",
    "keepalived.service",
)
_SYSTEMD = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
_MANAGER = ("/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d")
_VETH = {
    "OriginalName": "cali0123456789a",
    "Name": "cali0123456789a",
    "Driver": "veth",
    "Kind": "veth",
    "Type": "ether",
}


def units() -> dict[str, dict[str, bool]]:
    """Return which units of others are installed, whether each runs, and whether it does at boot."""
    found = [unit for unit in UNITS if systemd.installed(unit)]
    active = systemd.output("systemctl", "is-active", *found).splitlines() if found else []
    enabled = systemd.output("systemctl", "is-enabled", *found).splitlines() if found else []
    return {
        unit: {
            "active": active[place : place + 1] == ["active"],
            "enabled": enabled[place : place + 1] == ["enabled"],
        }
        for place, unit in enumerate(found)
    }


def read(root: str = "/") -> dict[str, t.Any]:
    """Return settings: whether networkd keeps others' routes, NetworkManager leaves pods' links alone, ufw is on, udev.

    udev: whether it runs, and the policy by which it gives pods' links a MAC, with the file that says so.
    """
    return {
        "networkd_keeps_routes": _networkd_keeps_routes(root),
        "nm_leaves_pods": _nm_leaves_pods(root),
        "ufw_enabled": bool(re.search(r"^ENABLED=yes", files.text(root, "/etc/ufw/ufw.conf"), re.M | re.I)),
        "udev": {"runs": files.exists(root, "/run/udev/control"), **link_policy(root)},
    }


def _networkd_keeps_routes(root: str) -> bool:
    folders = [f"{folder}/networkd.conf.d" for folder in _SYSTEMD]
    paths = [f"{folder}/networkd.conf" for folder in reversed(_SYSTEMD)] + files.dropins(root, folders, "*.conf")
    value = "yes"
    for path in paths:
        for section, key, said in files.sections(files.text(root, path)):
            if (section, key) == ("Network", "ManageForeignRoutes"):
                value = said
    return value.lower() in ("no", "false", "0", "off")


def _nm_leaves_pods(root: str) -> bool:
    paths = ["/etc/NetworkManager/NetworkManager.conf", *files.dropins(root, _MANAGER, "*.conf")]
    said = (value for path in paths for __, key, value in files.sections(files.text(root, path)) if "unmanaged" in key)
    return any("interface-name:cali" in value for value in said)


def link_policy(root: str) -> dict[str, str]:
    """Return the MACAddressPolicy for a pod's link and the file that sets it; the first file that fits counts."""
    for path in files.dropins(root, [f"{folder}/network" for folder in _SYSTEMD], "*.link"):
        matched, policy = True, ""
        for section, key, value in files.sections(files.text(root, path)):
            if section == "Match" and key:
                matched = matched and key in _VETH and _fits(value, _VETH[key])
            elif (section, key) == ("Link", "MACAddressPolicy"):
                policy = value
        if matched:
            return {"policy": policy, "file": path}
    return {"policy": "", "file": ""}


def _fits(patterns: str, name: str) -> bool:
    inverted = patterns.startswith("!")
    return inverted != any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.lstrip("!").split())
