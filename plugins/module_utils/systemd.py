# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host's service manager has and does, through systemctl(1)."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError

SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_WANTS = "/etc/systemd/system/multi-user.target.wants"

# States in which a unit starts at boot, or in which `systemctl enable` would change nothing.
_AT_BOOT = ("enabled", "static", "alias", "indirect", "generated")
_RUNS = ("active", "activating", "reloading")

Order = t.Tuple[str, ...]
"""A verb of systemctl, and the services that it is about."""


class State(t.NamedTuple):
    """A unit as systemd has it.

    load: what systemd says of its file, such as "loaded", "not-found" or "masked"; empty where no systemd runs.
    active: whether it runs or is about to. enabled: whether it is started at boot. outdated: whether systemd has not
    read a file or a drop-in of it that is there now.
    """

    load: str
    active: bool
    enabled: bool
    outdated: bool

    @property
    def managed(self) -> bool:
        """Tell whether systemd runs here."""
        return bool(self.load)


def state(service: str) -> State:
    """Return how a unit is; where no systemd runs, systemctl still knows whether it is enabled."""
    shown = output("systemctl", "show", "-p", "LoadState,ActiveState,UnitFileState,NeedDaemonReload", service)
    return parse(shown) if shown.strip() else parse(f"UnitFileState={output('systemctl', 'is-enabled', service)}")


def parse(shown: str) -> State:
    """Return the state of a unit from what `systemctl show` prints of it."""
    said = {key: value.strip() for key, __, value in (line.partition("=") for line in shown.splitlines())}
    return State(
        load=said.get("LoadState", ""),
        active=said.get("ActiveState") in _RUNS,
        enabled=said.get("UnitFileState") in _AT_BOOT,
        outdated=said.get("NeedDaemonReload") == "yes",
    )


def manages() -> bool:
    """Tell whether systemd runs here, which it does not in a chroot where an image is built."""
    return _systemctl("is-system-running").stdout.strip() not in ("", "offline", "unknown")


def installed(service: str) -> bool:
    """Tell whether there is a unit of that name."""
    return any(os.path.exists(os.path.join(folder, service)) for folder in _FOLDERS)


def enabled(service: str) -> bool:
    """Tell whether a unit is started at boot."""
    return os.path.lexists(os.path.join(_WANTS, service))


def link(verb: str, service: str) -> None:
    """Enable or disable a unit, and have that brought to the disk: systemctl does not."""
    act(verb, service)
    for folder in filter(os.path.isdir, (_WANTS, os.path.dirname(_WANTS))):
        owned_file.sync(folder)


def active(service: str) -> bool:
    """Tell whether a unit is active."""
    return _systemctl("is-active", service).stdout.strip() == "active"


def act(verb: str, *services: str) -> None:
    """Have systemctl do something; raises DaemonError with what it and the unit say."""
    answer = _systemctl(verb, *services)
    if answer.returncode == 0:
        return
    said = [answer.stderr, answer.stdout, *(_systemctl("status", "--lines=20", name).stdout for name in services)]
    raise DaemonError(
        f"systemctl {' '.join([verb, *services])}: " + "\n".join(filter(None, map(str.strip, said))),
        remedy="Run the command by hand; `journalctl -u` has all that the unit said",
    )


def tell(orders: t.Iterable[Order]) -> None:
    """Have systemctl do what orders say, one after the other; raises DaemonError as act does."""
    for verb, *names in orders:
        if verb in ("enable", "disable"):
            link(verb, *names)
        else:
            act(verb, *names)


def output(name: str, *arguments: str) -> str:
    """Return what a program of systemd prints; empty if there is no such program."""
    return _run(name, *arguments).stdout


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("systemctl", *arguments)


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which(name, path=SEARCHED)
    if program is None:
        return subprocess.CompletedProcess(arguments, 1, "", f"there is no {name}")
    environment = {"PATH": SEARCHED, "LC_ALL": "C", "SYSTEMD_PAGER": ""}
    return subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
