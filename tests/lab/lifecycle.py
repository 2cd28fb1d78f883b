# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a lab up, keep one that already has the right shape, take it down."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import time
import typing as t
from pathlib import Path

import commands
import fabric
import fabrics
import inventory
import neighbours
import nodes
import router
import ssh
import vm
from settings import Lab, LabError, Shape

UNMOUNT_SECONDS: t.Final = 5.0
NAMES: t.Final = Path("/run/netns")
NAMES_MADE: t.Final = "netns-made"


@contextlib.contextmanager
def alone(lab: Lab) -> t.Iterator[None]:
    """Wait until no other run changes this lab, and keep others waiting."""
    lab.files.mkdir(parents=True, exist_ok=True)
    handle = os.open(lab.files, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def running_shape(lab: Lab) -> Shape | None:
    """Return the shape of a lab that was brought up completely, also when nodes of it have died since; else None.

    A record that cannot be read counts as none.
    """
    try:
        return Shape(**json.loads((lab.run_dir / "state.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def dead(lab: Lab, shape: Shape) -> list[str]:
    """Return what should run and does not: names of nodes, and "the router"."""
    return nodes.dead(lab, shape.names) + (["the router"] if shape.router and not router.is_alive(lab) else [])


def check_kernel(shape: Shape) -> None:
    """Raise LabError when this machine's kernel cannot make the tunnels of a shape; tried in a throw-away namespace.

    A machine that has no iproute2 yet is not judged.
    """
    if shape.kind == "vm":
        vm.check_device()
        return
    kind = next((kind for kind in ("ipip", "vxlan") if shape.encapsulation.lower().startswith(kind)), None)
    details = {"ipip": ["local", "192.0.2.1"], "vxlan": ["id", "4096", "dstport", "4789"]}
    if kind is None or shutil.which("ip") is None:
        return
    if commands.succeeds(*["unshare", "--net", "ip", "link", "add", "probe", "type", kind, *details[kind]]):
        return
    remedy = f"Use a kernel with {kind} (try `modprobe {kind}`)"
    if kind == "ipip":
        remedy += ", or add KIND=vm (`--kind vm`): nodes with a kernel of their own, which has it"
    raise LabError(
        f"ENCAPSULATION={shape.encapsulation} needs {kind} tunnels, "
        f"and kernel {os.uname().release} refuses to make one. {remedy}."
    )


def up(lab: Lab, shape: Shape, say: t.Callable[[str], None]) -> None:
    """Make the lab run in this shape and write its inventories.

    A lab that already runs in the same shape is kept, with its nodes as they are; any other is built from nothing.
    `say` gets one line per thing done. Raises LabError, with nothing left behind by a failed start.
    """
    old = running_shape(lab)
    gone = dead(lab, old) if old else []
    if old and old.needs_same_nodes_as(shape) and not gone:
        say(f"{_count(shape.nodes)} already run{'s' if shape.nodes == 1 else ''}; they are kept as they are.")
        fabrics.behave(lab, shape, old.fabric)
    else:
        if shape.kind == "vm":
            vm.check_memory(shape)
        if old and gone:
            say(f"{', '.join(gone)} no longer run{'s' if len(gone) == 1 else ''}: building the lab anew.")
        elif old:
            say(f"The lab that runs has {old}, wanted is {shape}: building it anew.")
        _build(lab, shape, say)
        say(f"Started {shape}.")
    (lab.run_dir / "state.json").write_text(json.dumps(dataclasses.asdict(shape)))
    inventory.write(lab, shape)


def down(lab: Lab) -> bool:
    """Take the lab down and tell whether there was any. What the machine had before is as it was. Raises LabError."""
    existed = lab.run_dir.exists()
    ssh.hang_up(lab)
    router.stop(lab)
    vm.cut(lab, nodes.recorded(lab))
    nodes.stop(lab)
    fabric.delete(lab)
    neighbours.restore(lab)
    _remove_names(lab)
    _unmount(lab)
    vm.remove(lab)
    inventory.remove(lab)
    ssh.remove(lab)
    return existed


def _build(lab: Lab, shape: Shape, say: t.Callable[[str], None]) -> None:
    down(lab)
    try:
        lab.run_dir.mkdir()
        commands.run("mount", "-t", "tmpfs", "-o", "mode=755", f"{lab.name}-lab", str(lab.run_dir))
        if not _is_mounted(NAMES):
            (lab.run_dir / NAMES_MADE).touch()
        neighbours.make_room(lab, shape.nodes)
        if shape.kind == "vm":
            _start_machines(lab, shape, say)
        else:
            _start_namespaces(lab, shape)
        if shape.router:
            router.start(lab, shape, inventory.POD_CIDR)
        fabrics.behave(lab, shape)
    except BaseException:
        down(lab)
        raise


def _start_namespaces(lab: Lab, shape: Shape) -> None:
    nodes.start(lab, shape.names, fabric.hosts_file(shape))
    fabric.create(lab, shape)
    fabric.plug_in(lab, shape)
    if shape.ssh:
        ssh.start(lab, shape)


def _start_machines(lab: Lab, shape: Shape, say: t.Callable[[str], None]) -> None:
    vm.provide(lab, say)
    fabric.create(lab, shape)
    fabric.make_taps(lab, shape, vm.UID)
    vm.create(lab, shape)
    vm.first_start(lab, shape.names, say)


def _remove_names(lab: Lab) -> None:
    """Take back the mount that iproute2 makes with the first named namespace, if nobody else has named one since."""
    if (lab.run_dir / NAMES_MADE).exists() and NAMES.is_dir() and not any(NAMES.iterdir()):
        while _is_mounted(NAMES) and commands.succeeds("umount", str(NAMES)):
            pass
        with contextlib.suppress(OSError):
            NAMES.rmdir()


def _is_mounted(path: Path) -> bool:
    """Tell whether something is mounted on a path, a bind mount of the same file system included."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def _unmount(lab: Lab) -> None:
    deadline = time.monotonic() + UNMOUNT_SECONDS
    while lab.run_dir.is_mount() and not commands.succeeds("umount", str(lab.run_dir)):
        if time.monotonic() > deadline:
            raise LabError(f"{lab.run_dir} is in use: `fuser -vm {lab.run_dir}` tells by what; then do it again.")
        time.sleep(0.05)
    shutil.rmtree(lab.run_dir, ignore_errors=True)


def _count(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"
