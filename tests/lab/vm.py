# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of kind vm: machines with a kernel, a disk and an init system of their own, under User-mode Linux."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import commands
import fabric
import nodes
import ssh
import vm_cache
import vm_image
import vm_kernel
import vm_rootfs
from settings import Lab, LabError, Shape

Say = t.Callable[[str], None]
# MiB that a node has, and that a node which runs the pod network takes of this machine's.
MEMORY: t.Final = 512
MEMORY_USED: t.Final = 256
UID: t.Final = 60179
SUPERVISOR: t.Final = Path(__file__).resolve().parent / "vm_supervisor.py"
START_SECONDS: t.Final = 150.0
# What the tests take for a failure, see tests/scenarios/stage.py.
AGAIN: t.Final = "started once more"
# In the mount namespace that `ip netns exec` makes: a device for taps that the guest's user may open, and the image
# under a name that this user can reach wherever the cache is.
PRIVATE: t.Final = 'mount --bind "$1" /dev/net/tun && mount --bind "$2" "$3" && shift 3 && exec "$@"'


def check_device() -> None:
    """Raise LabError when this machine has no device for taps."""
    if not Path("/dev/net/tun").exists():
        raise LabError("Nodes of kind vm need /dev/net/tun, which is not there: try `modprobe tun`.")


def check_memory(shape: Shape) -> None:
    """Raise LabError when this machine has less memory than the nodes will take."""
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(memory["MemAvailable"].split()[0]) // 1024
    if free < shape.nodes * MEMORY_USED:
        raise LabError(
            f"{shape.nodes} nodes of kind vm need about {shape.nodes * MEMORY_USED} MiB of memory, "
            f"{free} MiB are free: give fewer NODES."
        )


def provide(lab: Lab, say: Say) -> None:
    """Have kernel and image, made if the cache lacks them, and link them into the lab's run folder. Raises LabError."""
    with vm_cache.alone() as cache:
        kernel = vm_kernel.provide(cache, say)
        sums = [vm_cache.verify(kernel)]
        rootfs = vm_rootfs.provide(cache, say)
        sums.append(vm_cache.verify(rootfs))
        # Linked before others may tidy the cache up.
        (lab.run_dir / "image").symlink_to(vm_image.provide(cache, rootfs, kernel, say, sums))
    commands.run("tar", "-C", str(lab.run_dir), "--no-same-owner", "-xf", str(kernel), vm_kernel.PROGRAM)
    (lab.run_dir / "base.ext4").touch()
    (lab.run_dir / "kernel").symlink_to(kernel)
    commands.run("mknod", "-m", "666", str(lab.run_dir / "tun"), "c", "10", "200")


def create(lab: Lab, shape: Shape) -> None:
    """Prepare the nodes of a lab whose fabric exists: keys, seeds, commands, places for disks. Raises LabError."""
    ssh.prepare(lab)
    lab.disks.mkdir()
    lab.disks.chmod(0o711)
    (lab.run_dir / "memory").mkdir(mode=0o700)
    _give(lab.run_dir / "memory")
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as workers:
        keys = list(workers.map(lambda port: _create_one(lab, shape, port), fabric.ports(shape)))
    ssh.write_known_hosts(lab, shape, keys)
    wrapper(lab).write_text(f'#!/bin/sh\nexec nsenter --net=/run/netns/{lab.fabric} ssh "$@"\n')
    wrapper(lab).chmod(0o755)


def wrapper(lab: Lab) -> Path:
    """Return the path of the program that is ssh inside the fabric, where the nodes can be reached."""
    return lab.run_dir / "fabric-ssh"


def first_start(lab: Lab, names: t.Sequence[str], say: Say) -> None:
    """Start new nodes and wait until all can be reached. Raises LabError with the end of a node's console.

    One that cannot be reached in time, or ends, is started once more, which `say` is told, and the console of the first
    try is kept: among the first boots of User-mode Linux was one that its network did not reach for minutes, for a
    reason that nobody found. Nothing but the image is on the disks yet; no later start has a second try.
    """
    late = _launched(lab, names)
    for name, reason in late.items():
        say(f"{name} {reason}; it is {AGAIN} (its console: {nodes.folder(lab, name) / 'console-before.log'})")
        cut(lab, [name])
    start(lab, list(late))


def start(lab: Lab, names: t.Sequence[str]) -> None:
    """Start nodes that are off and wait until all can be reached. Raises LabError with the end of a node's console."""
    for name, reason in _launched(lab, names).items():
        raise LabError(f"Starting {name} failed: it {reason}. The end of its console:\n{console(lab, name)}")


def _launched(lab: Lab, names: t.Sequence[str]) -> dict[str, str]:
    for name in names:
        _launch(lab, name)
    return _unreachable(lab, names)


def reboot(lab: Lab, names: t.Sequence[str]) -> None:
    """Reboot running nodes from inside and wait until all can be reached again. Raises LabError."""
    before = {name: _boots(lab, name) for name in names}
    for name in names:
        command = nodes.enter(lab, name, "systemctl", "--no-block", "reboot")
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=START_SECONDS)
        ssh.hang_up(lab, _address(lab, name))
    deadline = time.monotonic() + START_SECONDS
    while waiting := [name for name in names if _boots(lab, name) == before[name]]:
        if time.monotonic() > deadline or nodes.dead(lab, waiting):
            raise LabError(f"{', '.join(waiting)} did not reboot. The end of the console:\n{console(lab, waiting[0])}")
        time.sleep(0.1)
    for name, reason in _unreachable(lab, names).items():
        raise LabError(f"{name} {reason} after its reboot. The end of its console:\n{console(lab, name)}")


def cut(lab: Lab, names: t.Iterable[str]) -> None:
    """End nodes as a power failure does, without a word to them; those that are off stay so. Raises LabError."""
    ending = []
    for name in names:
        supervisor, guest = nodes.process(lab, name), nodes.process(lab, name, "guest")
        for process, group in ((supervisor, False), (guest, True)):
            if process and process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
                ending.append(process)
        if guest:
            ssh.hang_up(lab, _address(lab, name))
    nodes.await_end(ending)


def console(lab: Lab, name: str, lines: int = 15) -> str:
    """Return the last lines of what a node said on its console."""
    try:
        text = (nodes.folder(lab, name) / "console.log").read_text(errors="replace")
    except FileNotFoundError:
        return "(nothing)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def remove(lab: Lab) -> None:
    """Remove the disks of a lab."""
    shutil.rmtree(lab.disks, ignore_errors=True)


def _create_one(lab: Lab, shape: Shape, port: fabric.Port) -> str:
    place, disk = nodes.folder(lab, port.node), lab.disks / port.node
    for folder in (place / "control", disk):
        folder.mkdir(parents=True, mode=0o700)
        _give(folder)
    key = vm_image.write_seed(lab, shape, port, place / "seed.tar")
    (place / "seed.tar").chmod(0o400)
    _give(place / "seed.tar")
    (place / "command.json").write_text(json.dumps(_command(lab, port)))
    reach = [str(wrapper(lab)), *ssh.options(lab), "-o", f"ControlPath={ssh.control_sockets(lab)}/%h"]
    reach += ["-o", "ControlMaster=auto", "-o", "ControlPersist=20s", "-l", "root", str(port.address.ip), "--"]
    (place / "enter.json").write_text(json.dumps(reach))
    return key


def _give(path: Path) -> None:
    os.chown(path, UID, UID)


def _command(lab: Lab, port: fabric.Port) -> list[str]:
    """Return the command line of a guest: no privileges, all files in places of the lab, console on standard output."""
    place, image = nodes.folder(lab, port.node), lab.run_dir / "base.ext4"
    private = [PRIVATE, "lab", str(lab.run_dir / "tun"), str(lab.run_dir / "image"), str(image)]
    user = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--pdeathsig=KILL"]
    environment = [f"HOME={place}", f"TMPDIR={lab.run_dir / 'memory'}", "PATH=/usr/bin:/bin"]
    machine = [f"umid={port.node}", f"uml_dir={place / 'control'}", f"mem={MEMORY}M", "noreboot"]
    machine += ["seccomp=auto"] if vm_kernel.version((lab.run_dir / "kernel").resolve()) >= (6, 16) else []
    disks = [f"ubd0={lab.disks / port.node / 'disk.cow'},{image}", f"ubd1r={place / 'seed.tar'}"]
    system = ["root=/dev/ubda", "rootfstype=ext4", "rw", f"init={vm_image.INIT}"]
    card = f"vec0:transport=tap,ifname={port.name},mac={vm_image.mac(port)},depth=128,gro=1"
    terminals = ["con=null", "con0=null,fd:1", "ssl=null", "console=tty0"]
    return [
        *("ip", "netns", "exec", lab.fabric, "sh", "-c", *private),
        *("setpriv", *user, "env", "-i", *environment),
        *(str(lab.run_dir / vm_kernel.PROGRAM), *machine, *disks, *system, card, *terminals),
    ]


def _launch(lab: Lab, name: str) -> None:
    place = nodes.folder(lab, name)
    for record in ("pid", "guest", "ended"):
        (place / record).unlink(missing_ok=True)
    disk = lab.disks / name / "disk.cow"
    if disk.exists() and not disk.stat().st_size:
        disk.unlink()  # of a first start that was cut off at once; such a disk never boots
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(SUPERVISOR), str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(place / "supervisor.log").open("ab"),
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )
    deadline = time.monotonic() + START_SECONDS
    while not (place / "guest").exists() and not (place / "ended").exists():
        if child.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"Starting {name} failed: {(place / 'supervisor.log').read_text().strip()}")
        time.sleep(0.02)


def _unreachable(lab: Lab, names: t.Sequence[str]) -> dict[str, str]:
    """Wait for nodes; return what is wrong with those that cannot be reached in time or ended, by name."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(names))) as workers:
        found = zip(names, workers.map(lambda name: _wait(lab, name), names), strict=True)
        return {name: reason for name, reason in found if reason}


def _wait(lab: Lab, name: str) -> str:
    """Wait until a node can be reached and has finished its boot; return why that is not so, "" when it is."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if nodes.dead(lab, [name]):
            return "ended by itself"
        if commands.succeeds(*_probe(lab, name), "true"):
            commands.succeeds("timeout", "60", *_probe(lab, name), "systemctl is-system-running --wait")
            return ""
        time.sleep(0.2)
    return f"could not be reached for {START_SECONDS:.0f} s"


def _probe(lab: Lab, name: str) -> list[str]:
    reach = _reach(lab, name)
    return [reach[0], "-o", "ControlPath=none", *reach[1:]]


def _reach(lab: Lab, name: str) -> list[str]:
    """Return the beginning of a command line that runs the rest of it in a node, address and "--" last."""
    return list(json.loads((nodes.folder(lab, name) / "enter.json").read_text()))


def _address(lab: Lab, name: str) -> str:
    return _reach(lab, name)[-2]


def _boots(lab: Lab, name: str) -> str:
    try:
        return (nodes.folder(lab, name) / "boots").read_text()
    except FileNotFoundError:
        return ""
