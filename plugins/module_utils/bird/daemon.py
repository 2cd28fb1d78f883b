# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running BIRD and its configuration file: check, put in place, reconfigure, read; never restart."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import time
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import DIGEST, render_empty
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import Plan

CONFIG_PATH = "/etc/bird/podnet-calico.conf"
_ROUTE_PROTOCOL = 12  # RTPROT_BIRD (linux/rtnetlink.h)
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# Protocols that carry somebody's routes: a BIRD that runs them under another configuration is not ours to take over.
_ROUTING = {"BGP", "OSPF", "RIP", "Babel"}


@dataclass(frozen=True)
class Protocol:
    """One line of `birdc show protocols`: for BGP, info is "Established" or what keeps the session from it."""

    name: str
    kind: str
    state: str
    info: str


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=_ENVIRONMENT, check=False)


def ask(command: str) -> str | None:
    """Return BIRD's answer to a command without its greeting; None if no BIRD runs."""
    try:
        answer = _run("birdc", command)
    except FileNotFoundError:
        return None
    if answer.returncode and "onnect" in answer.stdout + answer.stderr:  # "Unable to connect to server control socket"
        return None
    return "\n".join(answer.stdout.splitlines()[1:])


def protocols() -> dict[str, Protocol]:
    """Return the protocols of the running BIRD by name; empty if none runs."""
    found = {}
    for line in (ask("show protocols") or "").splitlines()[1:]:
        words = line.split(None, 5)
        if len(words) >= 4:
            found[words[0]] = Protocol(words[0], words[1], words[3], words[5].strip() if len(words) > 5 else "")
    return found


def sessions() -> dict[str, Protocol]:
    """Return the BGP sessions of the running BIRD by name."""
    return {name: protocol for name, protocol in protocols().items() if protocol.kind == "BGP"}


def digest(text: str) -> str:
    """Return the digest that a configuration of ours carries; empty for any other text."""
    found = re.search(rf'^define {DIGEST} = "([0-9a-f]+)"', text, re.MULTILINE)
    return found.group(1) if found else ""


def running_digest() -> str | None:
    """Return the digest of the configuration that BIRD runs: empty if it is not ours, None if no BIRD runs."""
    answer = ask(f"eval {DIGEST}")
    if answer is None:
        return None
    return answer.strip() if re.fullmatch(r"[0-9a-f]{64}", answer.strip()) else ""


def refuse_foreign(running: str | None) -> None:
    """Raise Conflict if the running BIRD serves somebody else: its sessions would end with our configuration.

    running: what running_digest returned.
    """
    if running != "":
        return
    foreign = sorted(p.name for p in protocols().values() if p.kind in _ROUTING and not p.name.startswith("podnet_"))
    if foreign:
        raise Conflict(
            f"configure BIRD: the running BIRD has sessions that are not ours ({', '.join(foreign)})",
            remedy="Run it on another host, or stop and disable it if it is not needed any more",
        )


def install_config(text: str, path: str = CONFIG_PATH) -> None:
    """Check a configuration with `bird -p` and put it in place in one step; raises DaemonError with BIRD's words."""
    owned_file.write(path, text, mode=0o640, group="bird", check=check_config)


def check_config(path: str) -> None:
    """Have BIRD parse a configuration file."""
    try:
        answer = _run("bird", "-p", "-c", path)
    except FileNotFoundError as error:
        raise DaemonError(
            "check BIRD's configuration: there is no bird", remedy="Install it (Debian: bird2)"
        ) from error
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip().replace(path, os.path.basename(CONFIG_PATH))
        raise DaemonError(f"check BIRD's configuration: {said}", remedy="This is a defect of ours: please report it")


def reconfigure(path: str = CONFIG_PATH) -> None:
    """Have the running BIRD take over the file: sessions that do not change stay up."""
    answer = ask(f'configure "{path}"') or ""
    if "Reconfigur" not in answer:
        raise DaemonError(f"reconfigure BIRD: {answer.strip() or 'no answer'}", remedy="See its log; the old one stays")


def wait_established(names: t.Iterable[str], seconds: float) -> dict[str, Protocol]:
    """Wait until the named sessions are established; raises DaemonError naming those that are not in time."""
    wanted = set(names)
    deadline = time.monotonic() + seconds
    while True:
        found = sessions()
        down = sorted(name for name in wanted if name not in found or found[name].info != "Established")
        if not down:
            return found
        if time.monotonic() > deadline:
            states = ", ".join(
                f"{name} ({found[name].info or found[name].state})" if name in found else f"{name} (absent)"
                for name in down
            )
            raise DaemonError(
                f"wait {seconds:g} s for BGP sessions: {len(down)} of {len(wanted)} are not established: {states}",
                remedy="Is BIRD running on the peers, and is TCP port 179 open between the nodes?",
            )
        time.sleep(0.2)


def ensure(text: str, *, check_mode: bool, path: str = CONFIG_PATH) -> Outcome:
    """Put a configuration in place and have a running BIRD follow it; a BIRD that does not run is not started."""
    before = owned_file.read(path)
    running = running_digest()
    refuse_foreign(running)
    changes = compare("file", {path: before} if before else {}, {path: text})
    stale = running is not None and running != digest(text)
    if stale:
        changes.append(Change("bird", "running configuration", {"digest": running}, {"digest": digest(text)}))
    if not check_mode:
        if before != text:
            install_config(text, path)
        if stale:
            reconfigure(path)
    return Outcome(changes, {"running": running is not None})


def remove(*, check_mode: bool, path: str = CONFIG_PATH) -> Outcome:
    """Have BIRD take its routes out of the kernel and end our sessions, and delete our configuration."""
    before = owned_file.read(path)
    changes = compare("file", {path: before} if before else {}, {})
    empty = render_empty()
    running = running_digest()
    ours = bool(running) and running != digest(empty)
    if ours:
        changes.append(Change("bird", "running configuration", {"digest": running}, {"digest": digest(empty)}))
    if not check_mode and ours:
        install_config(empty, path)
        reconfigure(path)
        _wait_withdrawn(before)
    if before and running is None:
        changes += _delete_left_behind(before, check_mode)
    if not check_mode and (before or ours):
        os.unlink(path)
    return Outcome(changes, {"running": running is not None})


def _left_behind(netlink: Netlink, config: str) -> Plan:
    """Return the deletions of BIRD's routes that are in the kernel for the pools of a configuration."""
    pools = [ipaddress.ip_network(cidr) for cidr in re.findall(r"(\d+\.\d+\.\d+\.\d+/\d+)\{", config)]
    return route_apply.left_behind(netlink, _ROUTE_PROTOCOL, pools)


def _wait_withdrawn(config: str, seconds: float = 10) -> None:
    """Wait until BIRD has taken its routes out of the kernel, which it does in its own time."""
    deadline = time.monotonic() + seconds
    with Netlink() as netlink:
        while _left_behind(netlink, config):
            if time.monotonic() > deadline:
                raise DaemonError(f"wait {seconds:g} s for BIRD to take its routes out of the kernel: some are left")
            time.sleep(0.1)


def _delete_left_behind(config: str, check_mode: bool) -> list[Change]:
    """Delete the routes that a BIRD which does not run any more left in the kernel, as it does on purpose."""
    with Netlink() as netlink:
        changes = _left_behind(netlink, config)
        if not check_mode:
            route_apply.apply(netlink, changes)
    return list(changes)


def inform(names: t.Iterable[str], wait: float) -> Outcome:
    """Return the sessions of the running BIRD after waiting for the named ones to be established."""
    found = wait_established(names, wait) if wait else sessions()
    return Outcome([], {"sessions": {name: asdict(session) for name, session in sorted(found.items())}})
