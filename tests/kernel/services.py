# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a host that has an /etc and a /run of its own: the systemctl of lab nodes, and a NetworkManager."""

from __future__ import annotations

from pathlib import Path

LAB = Path(__file__).parents[1] / "lab" / "systemctl" / "systemctl.py"
OFFLINE = Path(__file__).parents[1] / "lab" / "offline"
# It writes down what it is told, and kills who tells it to do what is written in `deadly`.
SYSTEMCTL = f"""#!/bin/sh
case $1 in is-* | show) ;; *) echo "$1" >>/etc/told ;; esac
[ "$1" = "$(cat /etc/deadly 2>/dev/null)" ] && kill -9 $PPID && exit
exec /usr/bin/python3 {LAB} "$@"
"""
# A NetworkManager that writes down which files it finds when it reads its configuration.
NETWORK_MANAGER = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecReload=/bin/sh -c "ls /etc/NetworkManager/conf.d >/etc/network-manager-has-read"
"""


def offline(units: Path) -> dict[str, Path]:
    """Return what to bind on a host where no systemd runs; units: the folder of its own units and links."""
    return {"/etc/systemd/system": units, "/usr/local/sbin": OFFLINE}


class Services:
    """The service manager of a host; path: the folder that has the host's etc and run."""

    def __init__(self, path: Path) -> None:
        self._etc, self._run, sbin = path / "etc", path / "run", path / "sbin"
        sbin.mkdir()
        (sbin / "systemctl").write_text(SYSTEMCTL)
        (sbin / "systemctl").chmod(0o755)
        self.binds = {"/usr/local/sbin": str(sbin)}

    def told(self) -> list[str]:
        """Return what systemctl was told to do since the last call."""
        path = self._etc / "told"
        words = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return words

    def start_network_manager(self) -> None:
        """Have a NetworkManager that runs."""
        folder = self._etc / "systemd" / "system"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "NetworkManager.service").write_text(NETWORK_MANAGER)
        units = self._run / "lab" / "units"
        units.mkdir(parents=True, exist_ok=True)
        (units / "NetworkManager.service.exited").touch()

    def network_manager_has_read(self) -> list[str]:
        """Return the files that NetworkManager has found when it was told to read them."""
        return (self._etc / "network-manager-has-read").read_text().split()
