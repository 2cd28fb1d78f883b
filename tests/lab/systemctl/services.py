# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: the processes of units (systemd.service(5))."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from units import Unit, UnitError, find, load

STATE: t.Final = Path("/run/lab/units")
SEARCH_PATH: t.Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NO_SUCH_UNIT: t.Final = 5
START_SECONDS: t.Final = 90.0
STOP_SECONDS: t.Final = 30.0
SETTLE_SECONDS: t.Final = 0.2


@dataclasses.dataclass(frozen=True)
class Main:
    """The main process of a service; the start time tells it from a reused PID."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        return _started(self.pid) == self.started


def main_process(unit: Unit) -> Main | None:
    """Return the recorded main process of a started service, dead or alive."""
    try:
        pid, started = (STATE / f"{unit.name}.pid").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return Main(int(pid), started)


def active_state(unit: Unit) -> str:
    """Return active, inactive, or failed for a main process that ended without being stopped."""
    if (STATE / f"{unit.name}.exited").exists():
        return "active"
    main = main_process(unit)
    if main is None:
        return "inactive"
    return "active" if main.is_alive() else "failed"


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _environment(unit: Unit) -> dict[str, str]:
    values = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
    for setting in unit.settings.get("Environment", []):
        values |= dict(pair.split("=", 1) for pair in shlex.split(setting) if "=" in pair)
    for setting in unit.settings.get("EnvironmentFile", []):
        path = Path(setting.lstrip("-"))
        if not path.exists():
            if setting.startswith("-"):
                continue
            raise UnitError(f"Failed to load environment files: {path}: No such file or directory")
        pairs = (line.strip().split("=", 1) for line in path.read_text().splitlines() if re.match(r"\s*\w+=", line))
        values |= {key: value.strip("\"'") for key, value in pairs}
    return values


def _command(line: str, environment: dict[str, str]) -> tuple[list[str], bool]:
    """Return the words of an Exec line, variables replaced, and whether its failure counts (systemd.service(5))."""
    prefix, rest = re.fullmatch(r"([-@:+!]*)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]  # always matches
    words: list[str] = []
    for word in shlex.split(rest):
        if found := re.fullmatch(r"\$(\w+)", word):
            words += shlex.split(environment.get(found[1], ""))
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda match: environment.get(match[1], ""), word))
    return words, "-" not in prefix


def _spawn(unit: Unit, words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (STATE / f"{unit.name}.log").open("ab") as log:
        try:
            return subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=unit.last("WorkingDirectory", "/"),
                user=unit.last("User") or None,
                group=unit.last("Group") or None,
            )
        except OSError as error:
            raise UnitError(f"Job for {unit.name} failed: {error}") from error


def _run_all(unit: Unit, key: str, environment: dict[str, str], main: Main | None = None) -> None:
    """Run the commands of a setting one after the other. Raises UnitError at the first that fails and counts."""
    if main:
        environment = environment | {"MAINPID": str(main.pid)}
    for line in unit.settings.get(key, []):
        words, counts = _command(line, environment)
        status = _spawn(unit, words, environment).wait()
        if status and counts:
            raise UnitError(f"Job for {unit.name} failed: {key}={line} ended with status {status}.\n{log_end(unit)}")


def log_end(unit: Unit) -> str:
    """Return the last lines that the processes of a unit wrote."""
    log = STATE / f"{unit.name}.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-10:])


def start(name: str, pending: frozenset[str] = frozenset()) -> None:
    """Start a service and the services it asks for; nothing happens when it already runs. Raises UnitError."""
    unit = existing(name, "start")
    if active_state(unit) == "active" or name in pending:
        return
    for other in [*unit.words("Requires"), *unit.words("Wants")]:
        if other.endswith(".service") and (other in unit.words("Requires") or find(other)):
            start(other, pending | {name})
    if not _conditions_hold(unit) or not name.endswith(".service"):
        return
    forget(unit)
    _make_folders(unit)
    environment = _environment(unit)
    _run_all(unit, "ExecStartPre", environment)
    main = _start_main(unit, environment)
    _run_all(unit, "ExecStartPost", environment, main)


def forget(unit: Unit) -> None:
    """Drop the record of a unit's processes."""
    STATE.mkdir(parents=True, exist_ok=True)
    for kind in ("pid", "exited"):
        (STATE / f"{unit.name}.{kind}").unlink(missing_ok=True)


def existing(name: str, action: str) -> Unit:
    unit = load(name)
    if unit.path is None:
        raise UnitError(f"Failed to {action} {name}: Unit {name} not found.", NO_SUCH_UNIT)
    if unit.is_masked:
        raise UnitError(f"Failed to {action} {name}: Unit {name} is masked.")
    return unit


def _conditions_hold(unit: Unit) -> bool:
    conditions = unit.settings.get("ConditionPathExists", [])
    return all(Path(path.lstrip("!")).exists() != path.startswith("!") for path in conditions)


def _make_folders(unit: Unit) -> None:
    for key, parent in (("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib")):
        for name in unit.words(key):
            path = Path(parent, name)
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(int(unit.last(f"{key}Mode", "0755"), 8))
            owner = f"{unit.last('User', 'root')}:{unit.last('Group')}"
            subprocess.run(["chown", owner, str(path)], check=True)


def _start_main(unit: Unit, environment: dict[str, str]) -> Main | None:
    """Run ExecStart and record what stays behind; returns the main process where there is one."""
    kind = unit.last("Type", "simple")
    if kind in ("oneshot", "forking"):
        _run_all(unit, "ExecStart", environment)
        if kind == "forking" and unit.last("PIDFile"):
            return _record(unit, int(Path(unit.last("PIDFile")).read_text()))
        if kind == "forking" or unit.last("RemainAfterExit") in ("yes", "true", "on", "1"):
            (STATE / f"{unit.name}.exited").touch()
        return None
    words, _ = _command(unit.last("ExecStart"), environment)
    if kind == "notify":
        return _start_notifying(unit, words, environment)
    child = _spawn(unit, words, environment)
    try:
        child.wait(SETTLE_SECONDS)
    except subprocess.TimeoutExpired:
        return _record(unit, child.pid)
    raise UnitError(f"Job for {unit.name} failed: it ended with status {child.returncode}.\n{log_end(unit)}")


def _start_notifying(unit: Unit, words: list[str], environment: dict[str, str]) -> Main:
    """Start a service that tells when it is ready (sd_notify(3))."""
    address = STATE / f"{unit.name}.notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(address))
        address.chmod(0o777)
        notices.settimeout(SETTLE_SECONDS)
        child = _spawn(unit, words, environment | {"NOTIFY_SOCKET": str(address)})
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            try:
                if b"READY=1" in notices.recv(4096).splitlines():
                    return _record(unit, child.pid)
            except TimeoutError:
                continue
    if child.poll() is None:
        child.kill()
    raise UnitError(f"Job for {unit.name} failed: it did not get ready.\n{log_end(unit)}")


def _record(unit: Unit, pid: int) -> Main:
    main = Main(pid, _started(pid))
    (STATE / f"{unit.name}.pid").write_text(f"{pid} {main.started}")
    return main


def stop(name: str) -> None:
    """Stop a service: ExecStop, then its signal to all its processes, then SIGKILL. Raises UnitError."""
    unit = existing(name, "stop")
    main = main_process(unit)
    was_active = active_state(unit) == "active"
    environment = _environment(unit)
    try:
        if was_active:
            _run_all(unit, "ExecStop", environment, main)
    finally:
        if main and main.is_alive():
            _end(unit, main)
        forget(unit)
    if was_active:
        _run_all(unit, "ExecStopPost", environment)


def _end(unit: Unit, main: Main) -> None:
    send = os.kill if unit.last("KillMode") == "process" else os.killpg
    for number, seconds in ((signal.Signals[unit.last("KillSignal", "SIGTERM")], STOP_SECONDS), (signal.SIGKILL, 5.0)):
        try:
            send(main.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while main.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        if not main.is_alive():
            return


def reload(name: str) -> None:
    """Run ExecReload of a running service. Raises UnitError."""
    unit = existing(name, "reload")
    if active_state(unit) != "active":
        raise UnitError(f"{name} is not active, cannot reload.")
    if not unit.settings.get("ExecReload"):
        raise UnitError(f"Failed to reload {name}: Job type reload is not applicable for unit {name}.")
    _run_all(unit, "ExecReload", _environment(unit), main_process(unit))
