# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld and ufw of the machine's own release, to run them in namespaces and lab machines.

Installed, they would take over the machine's own firewall.
"""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.tools.unpacked import Unavailable, tree

PACKAGES: t.Final = (
    *("firewalld", "python3-firewall", "python3-nftables", "python3-cap-ng", "python3-dbus", "python3-gi"),
    *("gir1.2-glib-2.0", "libgirepository-1.0-1", "libglib2.0-0", "ufw"),
)


def root() -> Path:
    """Return the folder with their usr and etc; fetches them if nobody has tried yet. Raises Unavailable."""
    found = tree("firewalls", PACKAGES, _configure)
    if not shutil.which("dbus-daemon"):
        raise Unavailable("firewalld needs dbus-daemon (Debian: dbus-daemon)")
    return found


def _configure(found: Path) -> None:
    """Leave the configuration of ufw, and what Python makes of its files, as their installation does."""
    for source in (found / "usr" / "share" / "ufw" / "iptables").iterdir():
        shutil.copy2(source, found / "etc" / "ufw" / source.name)
    shutil.copy2(found / "usr" / "share" / "ufw" / "ufw.conf", found / "etc" / "ufw")
    packages = found / "usr" / "lib" / "python3" / "dist-packages"
    subprocess.run(["/usr/bin/python3", "-m", "compileall", "-q", str(packages)], check=True, capture_output=True)
