# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch firewalld and ufw of the machine's own release, to run them in namespaces without installing them.

`firewalls.py` fetches them below .cache/firewalls; installed, they would take over the machine's own firewall. apt
checks signatures and checksums. What cannot be fetched leaves its reason in .cache/firewalls/failed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

CACHE: t.Final = Path(__file__).resolve().parents[2] / ".cache" / "firewalls"
PACKAGES: t.Final = (
    *("firewalld", "python3-firewall", "python3-nftables", "python3-cap-ng", "python3-dbus", "python3-gi"),
    *("gir1.2-glib-2.0", "libgirepository-1.0-1", "ufw"),
)
_FAILED: t.Final = CACHE / "failed"


class Unavailable(Exception):
    """The firewalls are not here."""


def root() -> Path:
    """Return the folder with their usr and etc; fetches them if nobody has tried yet. Raises Unavailable."""
    if not (CACHE / "root").is_dir() and not _FAILED.is_file():
        fetch()
    if not (CACHE / "root").is_dir():
        raise Unavailable(f"firewalld and ufw could not be fetched: {_FAILED.read_text().strip()}")
    if not shutil.which("dbus-daemon"):
        raise Unavailable("firewalld needs dbus-daemon (Debian: dbus-daemon)")
    return CACHE / "root"


def fetch() -> bool:
    """Fetch the firewalls unless they are here; tell whether they are."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if (CACHE / "root").is_dir():
        return True
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".fetch-") as directory:
        try:
            _fetch(Path(directory))
        except (OSError, subprocess.CalledProcessError) as error:
            _FAILED.write_text(f"{error}: {getattr(error, 'stderr', '')}\n")
            return False
    _FAILED.unlink(missing_ok=True)
    return True


def _fetch(directory: Path) -> None:
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=", "download", *PACKAGES]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(directory / "root")], check=True, capture_output=True)
    if (directory / "root" / "lib").is_dir():  # which is a link on the machine
        shutil.copytree(directory / "root" / "lib", directory / "root" / "usr" / "lib", dirs_exist_ok=True)
    # As ufw's installation leaves its configuration.
    for source in (directory / "root" / "usr" / "share" / "ufw" / "iptables").iterdir():
        shutil.copy2(source, directory / "root" / "etc" / "ufw" / source.name)
    shutil.copy2(directory / "root" / "usr" / "share" / "ufw" / "ufw.conf", directory / "root" / "etc" / "ufw")
    (directory / "root").rename(CACHE / "root")


if __name__ == "__main__":
    sys.exit(0 if fetch() else 1)
