#!/usr/bin/python3
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemctl of lab nodes, which have no systemd: it knows enough of units for service modules and plain daemons.

Understood: unit files in the usual folders with drop-ins, Type= simple, exec, notify, oneshot and forking,
ConditionPathExists=, Requires= and Wants= of services, Exec*=, Environment=, EnvironmentFile=, User=, Group=,
WorkingDirectory=, RuntimeDirectory=, StateDirectory=, KillMode=process, KillSignal=, RemainAfterExit=, PIDFile=,
[Install]. Not: Restart=, ordering, sandboxing, other kinds of units. Exit statuses are systemctl(1)'s.
"""

from __future__ import annotations

import argparse
import sys
import typing as t

import services
import units
from units import Unit, UnitError

NOT_RUNNING: t.Final = 3
NO_SUCH_STATUS: t.Final = 4
IGNORED: t.Final = ("daemon-reload", "daemon-reexec", "reset-failed", "preset")


def main() -> int:
    """Run one systemctl command on each of its units and return the highest exit status."""
    options = _parse(sys.argv[1:])
    if options.version or options.command in (None, *IGNORED):
        print("systemd 252 (lab)" if options.version else "", end="\n" if options.version else "")
        return 0
    if options.command == "is-system-running":
        print("running")
        return 0
    if options.command in ("list-unit-files", "list-units"):
        return _list(options, _listed(options))
    if options.command not in COMMANDS:
        print(f"The systemctl of lab nodes does not know the command {options.command}.", file=sys.stderr)
        return 1
    return max((_one(options, _full(name)) for name in options.units), default=0)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="systemctl", add_help=False)
    parser.add_argument("command", nargs="?")
    parser.add_argument("units", nargs="*")
    parser.add_argument("-p", "--property", action="append", default=[])
    for name in ("-t", "-n", "-o"):
        parser.add_argument(name, {"-t": "--type", "-n": "--lines", "-o": "--output"}[name])
    for name in ("--value", "--now", "--version", "-q", "--quiet"):
        parser.add_argument(name, action="store_true")
    # Other options (--no-block, --no-pager, --force, -l, --system ...) change nothing here.
    return parser.parse_known_intermixed_args(arguments)[0]


def _full(name: str) -> str:
    return name if "." in name.rpartition("@")[2] else f"{name}.service"


def _one(options: argparse.Namespace, name: str) -> int:
    try:
        return COMMANDS[options.command](options, name) or 0
    except UnitError as error:
        print(error, file=sys.stderr)
        return error.status


def _restart(name: str) -> None:
    services.stop(name)
    services.start(name)


def _if_active(act: t.Callable[[str], None]) -> t.Callable[[argparse.Namespace, str], None]:
    def run(_options: argparse.Namespace, name: str) -> None:
        if services.active_state(units.load(name)) == "active":
            act(name)

    return run


def _reload_or_restart(_options: argparse.Namespace, name: str) -> None:
    unit = units.load(name)
    if services.active_state(unit) == "active" and unit.settings.get("ExecReload"):
        services.reload(name)
    else:
        _restart(name)


def _enable(options: argparse.Namespace, name: str) -> None:
    units.enable(units.load(name))
    if options.now:
        services.start(name)


def _disable(options: argparse.Namespace, name: str) -> None:
    units.disable(units.load(name))
    if options.now:
        services.stop(name)


def _is_active(options: argparse.Namespace, name: str) -> int:
    state = services.active_state(units.load(name))
    if not options.quiet:
        print(state)
    return 0 if state == "active" else NOT_RUNNING


def _is_enabled(options: argparse.Namespace, name: str) -> int:
    unit = units.load(name)
    if unit.path is None:
        raise UnitError(f"Failed to get unit file state for {name}: No such file or directory")
    state = units.enabled_state(unit)
    if not options.quiet:
        print(state)
    return 0 if state in ("enabled", "static") else 1


def _properties(unit: Unit) -> dict[str, t.Any]:
    state, process = services.active_state(unit), services.main_process(unit)
    sub_state = {"active": "running" if process else "exited", "inactive": "dead"}.get(state, state)
    return {
        "Id": unit.name,
        "Names": unit.name,
        "Description": unit.last("Description", unit.name),
        "LoadState": "not-found" if unit.path is None else "masked" if unit.is_masked else "loaded",
        "ActiveState": state,
        "SubState": sub_state,
        "UnitFileState": units.enabled_state(unit) if unit.path else "",
        "FragmentPath": unit.path or "",
        "Type": unit.last("Type", "simple"),
        "MainPID": process.pid if process and process.is_alive() else 0,
        "NeedDaemonReload": "no",
    }


def _show(options: argparse.Namespace, name: str) -> None:
    wanted = {key for text in options.property for key in text.split(",")}
    for key, value in _properties(units.load(name)).items():
        if not wanted or key in wanted:
            print(value if options.value else f"{key}={value}")


def _status(_options: argparse.Namespace, name: str) -> int:
    unit = units.load(name)
    if unit.path is None:
        print(f"Unit {name} could not be found.", file=sys.stderr)
        return NO_SUCH_STATUS
    facts = _properties(unit)
    print(f"{name} - {facts['Description']}")
    print(f"     Loaded: {facts['LoadState']} ({unit.path}; {facts['UnitFileState']})")
    print(f"     Active: {facts['ActiveState']} ({facts['SubState']})\n   Main PID: {facts['MainPID']}\n")
    print(services.log_end(unit))
    return 0 if facts["ActiveState"] == "active" else NOT_RUNNING


def _cat(_options: argparse.Namespace, name: str) -> None:
    unit = units.load(name)
    if unit.path is None:
        raise UnitError(f"No files found for {name}.")
    for path in units.files(unit):
        print(f"# {path}\n{path.read_text()}")


def _listed(options: argparse.Namespace) -> list[str]:
    patterns = [name if name.endswith("*") else _full(name) for name in options.units] or ["*"]
    found = {path.name for folder in units.FOLDERS for one in patterns for path in folder.glob(one)}
    kinds = (options.type or "service,target,timer,socket").split(",")
    return sorted(name for name in found if name.rpartition(".")[2] in kinds)


def _list(options: argparse.Namespace, names: list[str]) -> int:
    """Print what list-units and list-unit-files print with --plain."""
    states = options.command == "list-unit-files"
    print("UNIT FILE STATE PRESET" if states else "UNIT LOAD ACTIVE SUB DESCRIPTION")
    for name in names:
        unit = units.load(name)
        facts = _properties(unit)
        columns = ("UnitFileState",) if states else ("LoadState", "ActiveState", "SubState", "Description")
        print(name, *(facts[column] for column in columns), *(["-"] if states else []))
    print(f"\n{len(names)} units listed.")
    return 0


COMMANDS: t.Final[dict[str, t.Callable[[argparse.Namespace, str], int | None]]] = {
    "start": lambda _, name: services.start(name),
    "stop": lambda _, name: services.stop(name),
    "restart": lambda _, name: _restart(name),
    "try-restart": _if_active(_restart),
    "reload": lambda _, name: services.reload(name),
    "reload-or-restart": _reload_or_restart,
    "enable": _enable,
    "disable": _disable,
    "mask": lambda _, name: units.mask(units.load(name)),
    "unmask": lambda _, name: units.unmask(units.load(name)),
    "is-active": _is_active,
    "is-failed": lambda _, name: int(services.active_state(units.load(name)) != "failed"),
    "is-enabled": _is_enabled,
    "show": _show,
    "status": _status,
    "cat": _cat,
}

if __name__ == "__main__":
    sys.exit(main())
