#!/usr/bin/python3
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of nodes on this machine: up, run the playbooks, status, down. `make lab` and `make lab-down` call this."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import typing as t

import fabrics
import lifecycle
import nodes
import report
import vm
from settings import (
    ENCAPSULATIONS,
    MAX_NODES,
    Lab,
    LabError,
    Shape,
    current_lab,
    parse_encapsulation,
    parse_kind,
    parse_nodes,
    parse_subnets,
)

import playbooks


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status: 0 for success, 1 for a failure, which is printed."""
    options = _parser().parse_args(arguments)
    os.umask(0o022)  # guests run as another user
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # what was begun is cleaned up
    try:
        return t.cast("t.Callable[[argparse.Namespace], int]", options.run)(options)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("check", _check, "tell whether the lab can be had on this machine; change nothing"),
        ("up", _up, "start the nodes, or keep those that already run in this shape"),
        ("run", _run, "up, then deploy the pod network and verify it"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--nodes", default="3", metavar="N", help=f"1 to {MAX_NODES}, default 3")
        command.add_argument("--encapsulation", default="VXLAN", metavar="E", help=", ".join(ENCAPSULATIONS))
        command.add_argument("--ssh", action="store_true", help="run sshd in every node, write inventory-ssh.yml")
        command.add_argument(
            "--kind", default="netns", metavar="K", help="netns (default), or vm: machines with a kernel"
        )
        command.add_argument("--subnets", default="", metavar="S", help="1 or 2, default what the encapsulation needs")
        command.add_argument("--router", action="store_true", help="the subnets' router learns nodes' blocks by BGP")
        command.add_argument(
            "--fabric", default="plain", metavar="F", help=f"what the underlay is like: {', '.join(fabrics.FABRICS)}"
        )
        command.set_defaults(run=run)
    for name, run, text in (
        ("reboot", _reboot, "reboot nodes of kind vm, wait until they can be reached again"),
        ("power-cut", _power_cut, "end nodes of kind vm at once, as a power failure does"),
        ("start", _start, "start nodes of kind vm that are off, wait until they can be reached"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("node", nargs="+", metavar="NODE")
        command.set_defaults(run=run)
    command = commands.add_parser("exec", help="run a command in a node")
    command.add_argument("node", metavar="NODE")
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="with its arguments")
    command.set_defaults(run=_exec)
    commands.add_parser("status", help="tell what runs").set_defaults(run=_status)
    commands.add_parser("down", help="remove the lab").set_defaults(run=_down)
    return parser


def _shape(options: argparse.Namespace) -> Shape:
    kind = parse_kind(options.kind)
    return Shape(
        parse_nodes(options.nodes),
        parse_encapsulation(options.encapsulation),
        options.ssh and kind != "vm",  # these answer SSH anyway
        kind,
        parse_subnets(options.subnets),
        options.router,
        fabrics.parse_fabric(options.fabric),
    )


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("The lab makes network namespaces and mounts, which needs root: run it with sudo.")


def _say(line: str) -> None:
    print(line, flush=True)


def _check(options: argparse.Namespace) -> int:
    current_lab()
    lifecycle.check_kernel(_shape(options))
    return 0


def _bring_up(options: argparse.Namespace) -> tuple[Lab, Shape]:
    lab, shape = current_lab(), _shape(options)
    _need_root()
    lifecycle.check_kernel(shape)
    with lifecycle.alone(lab):
        lifecycle.up(lab, shape, _say)
    return lab, shape


def _up(options: argparse.Namespace) -> int:
    lab, _ = _bring_up(options)
    _say(f"Inventory: {report.relative(lab.files / 'inventory.yml')}")
    return 0


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    lab, shape = _bring_up(options)
    deployed, verified = playbooks.deploy_and_verify(lab)
    _say(report.final_screen(lab, shape, deployed, verified, time.monotonic() - started))
    return 0 if verified.ok else 1


def _status(_options: argparse.Namespace) -> int:
    lab = current_lab()
    shape = lifecycle.running_shape(lab)
    if shape is None:
        _say(f"No lab runs under the name {lab.name}.")
        return 1
    gone = lifecycle.dead(lab, shape)
    _say(f"{shape}, encapsulation {shape.encapsulation}" + (f"; dead: {', '.join(gone)}" if gone else ", all alive"))
    return 1 if gone else 0


def _machines(options: argparse.Namespace) -> tuple[Lab, list[str]]:
    """Return the lab and the nodes of kind vm that are named. Raises LabError for others."""
    lab = current_lab()
    _need_root()
    shape = lifecycle.running_shape(lab)
    if shape is None or shape.kind != "vm":
        raise LabError(
            f"No lab with nodes of kind vm runs under the name {lab.name}: `lab.py up --kind vm` starts one."
        )
    unknown = [name for name in options.node if name not in shape.names]
    if unknown:
        raise LabError(f"The lab has no {', '.join(unknown)}; its nodes are {', '.join(shape.names)}.")
    return lab, options.node


def _reboot(options: argparse.Namespace) -> int:
    lab, names = _machines(options)
    vm.reboot(lab, names)
    _say(f"Rebooted {', '.join(names)}.")
    return 0


def _power_cut(options: argparse.Namespace) -> int:
    lab, names = _machines(options)
    vm.cut(lab, names)
    _say(f"{', '.join(names)} lost power.")
    return 0


def _start(options: argparse.Namespace) -> int:
    lab, names = _machines(options)
    off = nodes.dead(lab, names)
    vm.start(lab, off)
    _say(f"Started {', '.join(off)}." if off else "All of them run.")
    return 0


def _exec(options: argparse.Namespace) -> int:
    lab = current_lab()
    _need_root()
    command = nodes.enter(lab, options.node, *(options.command or ["/bin/sh"]))
    if sys.stdin.isatty() and command[0] == str(vm.wrapper(lab)):
        command.insert(1, "-t")
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


def _down(_options: argparse.Namespace) -> int:
    lab = current_lab()
    _need_root()
    with lifecycle.alone(lab):
        _say("The lab is gone." if lifecycle.down(lab) else "No lab runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
