# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps systemd-networkd from taking the underlay's address away for a moment when it is restarted.

systemd 252 (Debian 12) deletes static addresses as foreign ones before it sets them again, and with the last address of
a device the kernel drops all its IPv4 routes, BIRD's among them. systemd.network(5): KeepConfiguration=static.
"""

from __future__ import annotations

import glob
import json
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import systemd
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

NETWORKD = "systemd-networkd.service"
_ETC = "/etc/systemd/network"
_FOLDERS = (_ETC, "/run/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network")
_NAME = "podnet-calico.conf"
_TEXT = f"""{HEADER}
# Without this, a restart of systemd-networkd takes the address away for a moment, and the kernel all routes with it.
[Network]
KeepConfiguration=static
"""


def ours() -> list[str]:
    """Return the paths at which files of ours may be."""
    return sorted(glob.glob(os.path.join(_ETC, "*.network.d", _NAME)))


def texts(devices: t.Iterable[str]) -> dict[str, str]:
    """Return the files that keep the addresses of devices, by path.

    A user's own KeepConfiguration= stays in force. While systemd-networkd does not run, what is there is right.
    """
    found = {}
    for device in devices:
        settings = _settings(device)
        if settings is None:
            return dict.fromkeys(ours(), _TEXT)
        file = os.path.basename(settings.get("NetworkFile") or "")
        if file and not _is_set(file):
            found[os.path.join(_ETC, f"{file}.d", _NAME)] = _TEXT
    return found


def _settings(device: str) -> dict[str, t.Any] | None:
    """Return what systemd-networkd says of a device; None if it does not run, nothing if it says nothing."""
    try:
        settings = dict(json.loads(systemd.output("networkctl", "--json=short", "status", device)))
    except ValueError:
        settings = {}
    return settings if settings.get("NetworkFile") or systemd.active(NETWORKD) else None


def _is_set(file: str) -> bool:
    """Tell whether somebody else has decided what a .network file or its drop-ins keep."""
    paths = [os.path.join(folder, file) for folder in _FOLDERS]
    paths += [path for folder in _FOLDERS for path in glob.glob(os.path.join(folder, f"{file}.d", "*.conf"))]
    return any("KeepConfiguration=" in _text(path) for path in paths if os.path.basename(path) != _NAME)


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
