# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container runtime of a host: is it there, does it use CNI, does it find our network and the plugins?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file, systemd
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import runtime_containerd, runtime_files
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_folder import plugins_folder
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError, InvalidInput, PodnetError

_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 60


class Runtime(t.NamedTuple):
    """A runtime that is known: its program, its unit, and our file for it if it takes one."""

    program: str
    unit: str
    file: str = ""
    text: t.Callable[[str, str], str] | None = None
    restarts: bool = False
    """Whether it reads its files only when it starts."""


RUNTIMES = {
    "containerd": Runtime("containerd", "containerd.service"),
    "crio": Runtime("crio", "crio.service", runtime_files.CRIO, runtime_files.crio_text, restarts=True),
    # There is no daemon but the one that answers its API, which waits for what is asked.
    "podman": Runtime("podman", "podman.service", runtime_files.PODMAN, runtime_files.podman_text, restarts=True),
}


def ensure(
    name: str, *, config_dir: str, bin_dir: str, network: str, service: str = "", check_mode: bool = False
) -> Outcome:
    """Have a runtime of RUNTIMES use networks of config_dir with plugins of bin_dir.

    bin_dir: empty for the distribution's. network: the name of ours. service: the runtime's unit, empty for the usual
    one. Raises InvalidInput if the runtime is not there, Conflict if it is told otherwise in a file that is not ours,
    DaemonError if it does not start again; its file is as before then. The facts are program, version, service and
    running.
    """
    known = RUNTIMES[name]
    unit = _unit(service or known.unit)
    bin_dir = bin_dir or plugins_folder()
    program = _find(name, known.program, unit)
    version = _output(program, "--version")[1].strip().splitlines()[:1] or [""]
    _refuse(name, program, unit, config_dir=config_dir, bin_dir=bin_dir, network=network, version=version[0])
    changes = []
    if known.text is not None:
        text = known.text(config_dir, bin_dir)
        runtime_files.refuse_others(known.file, text)
        changes = _write(known, unit, text, check_mode=check_mode)
    facts = {"program": program, "version": version[0], "service": unit, "running": systemd.active(unit)}
    return Outcome(changes, {"runtime": facts})


def networks_of_containerd() -> int:
    """Return how many files of the folder of networks the containerd of this host takes, 0 for all; 1 without one."""
    known = RUNTIMES["containerd"]
    try:
        program = _find("containerd", known.program, known.unit)
        return runtime_containerd.networks_taken(_settings_of_containerd(program, known.unit)[0])
    except PodnetError:
        return 1


def remove(*, name: str = "", service: str = "", check_mode: bool = False) -> Outcome:
    """Remove the files of ours of every runtime; a runtime that runs and had read one is restarted.

    name, service: the runtime whose unit is not the usual one, and that unit. Raises DaemonError for a runtime that
    does not start again; its file is as before then, and those that come after it are as they were.
    """
    changes = []
    for each, known in RUNTIMES.items():
        present = owned_file.read(known.file) if known.file else ""
        if not present:
            continue
        changes.append(Change("file", known.file, before=present))
        unit = _unit((service if each == name else "") or known.unit)
        restart = systemd.active(unit)
        if restart:
            changes.append(Change("service", unit, "running", "restarted"))
        if not check_mode:
            owned_file.remove(known.file)
            if restart:
                _restart(unit, known.file, present)
    return Outcome(changes)


def _find(name: str, program: str, unit: str) -> str:
    """Return the path of the program that the unit starts, or that is found. Raises InvalidInput."""
    found = re.search(r"path=(/[^ ;]+)", systemd.output("systemctl", "show", "-p", "ExecStart", unit))
    if found and os.path.basename(found[1]) == program and os.path.exists(found[1]):
        return found[1]
    path = shutil.which(program, path=_SEARCHED)
    if path is None:
        raise InvalidInput(
            f"use {name} as container runtime: there is no program {program} in {_SEARCHED}",
            remedy=f"Install {name} before, or set cni_runtime to what the host has, or to none",
        )
    return path


def _refuse(name: str, program: str, unit: str, *, config_dir: str, bin_dir: str, network: str, version: str) -> None:
    if name == "containerd":
        dump, path = _settings_of_containerd(program, unit)
        runtime_containerd.judge(dump, config_dir, bin_dir, path)
    elif name == "podman":
        runtime_files.refuse_podman(version)
        runtime_files.refuse_netavark()
    else:
        runtime_files.refuse_another_network(network)


def _settings_of_containerd(program: str, unit: str) -> tuple[str, str]:
    """Return what containerd prints of its settings, and the file that they are from."""
    path = _config_of(unit) or runtime_containerd.CONFIG
    # Without a file containerd uses its defaults, and `config dump` of 1.6 fails.
    verb = ["config", "dump"] if os.path.exists(path) else ["config", "default"]
    return runtime_containerd.dumped(*_output(program, "--config", path, *verb)), path


def _config_of(unit: str) -> str:
    """Return the file that the unit gives containerd, empty for none."""
    said = systemd.output("systemctl", "show", "-p", "ExecStart", unit)
    found = re.search(r"argv\[\]=[^;]*\s(?:--config|-c)[= ](\S+)", said)
    return found[1] if found else ""


def _write(known: Runtime, unit: str, text: str, *, check_mode: bool) -> list[Change]:
    present = owned_file.read(known.file)
    changes = [Change("file", known.file, present or None, text)] if present != text else []
    restart = known.restarts and systemd.active(unit) and (bool(changes) or _started_before(unit, known.file))
    if restart:
        changes.append(Change("service", unit, "running", "restarted"))
    if check_mode:
        return changes
    if present != text:
        owned_file.write(known.file, text)
    if restart:
        _restart(unit, known.file, present)
    return changes


def _restart(unit: str, path: str, before: str) -> None:
    """Restart a unit, or put the text of its file back, have it start with that, and raise DaemonError."""
    try:
        systemd.act("restart", unit)
    except DaemonError as error:
        _put_back(path, before)
        _try_restart(unit)
        raise DaemonError(f"{error.message}; {path} is as before", remedy=error.remedy) from error


def _put_back(path: str, text: str) -> None:
    if text:
        owned_file.write(path, text)
    else:
        owned_file.remove(path)


def _try_restart(unit: str) -> None:
    try:
        systemd.act("restart", unit)
    except PodnetError:
        return  # The error of the first time is the one to tell.


def _started_before(unit: str, path: str) -> bool:
    """Tell whether a unit's main process is older than a file: a run that was killed may not have told it."""
    try:
        process = int(systemd.output("systemctl", "show", "-p", "MainPID", unit).partition("=")[2])
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])  # proc(5): starttime
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.time() - age < os.stat(path).st_mtime
    except (OSError, ValueError):
        return False


def _unit(name: str) -> str:
    return name if name.endswith(".service") else f"{name}.service"


def _output(*command: str) -> tuple[int, str, str]:
    """Return status and output of a program; raises DaemonError where it cannot be run or does not end."""
    environment = {"PATH": _SEARCHED, "LC_ALL": "C", "HOME": "/root"}
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DaemonError(f"run {' '.join(command)}: {error}") from error
    return answer.returncode, answer.stdout, answer.stderr
