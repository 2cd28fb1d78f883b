# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running BIRD as birdc shows it, and `bird -p`; never started, stopped or restarted here."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.paths import CONFIG_PATH
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import DIGEST
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import SECRETS
from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Status, notifications, parse
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError

OLDEST = (2, 0)
"""The version that configurations are made for where no BIRD is installed yet."""

_PATIENCE = 30  # seconds
_MESSAGES = "20000"  # of the journal, at most
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# Protocols that carry somebody's routes: a BIRD that runs them under another configuration is not ours to take over.
_ROUTING = {"BGP", "OSPF", "RIP", "Babel"}


def _run(*command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, env=_ENVIRONMENT, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        message = f"run {command[0]}: it does not answer within {_PATIENCE} s"
        raise DaemonError(message, remedy="Does BIRD hang? See its log") from error


def ask(command: str) -> str | None:
    """Return BIRD's answer to a command without its greeting; None if no BIRD runs."""
    answer = _birdc(command)
    return None if answer is None else "\n".join(answer.splitlines()[1:])


def _birdc(command: str) -> str | None:
    try:
        answer = _run("birdc", command)
    except FileNotFoundError:
        return None
    if answer.returncode and "onnect" in answer.stdout + answer.stderr:  # "Unable to connect to server control socket"
        return None
    return answer.stdout


def ask_all(commands: t.Sequence[str]) -> list[str]:
    """Return the answers to several commands, by one process; raises DaemonError if BIRD does not answer all."""
    if not commands:
        return []
    answer = _run("birdcl", given="".join(f"{command}\n" for command in commands)).stdout
    found = re.split(r"^bird> ", answer, flags=re.MULTILINE)[1 : len(commands) + 1]
    if len(found) < len(commands):
        raise DaemonError(
            f"ask BIRD for {len(commands)} things: it answered {len(found)} of them", remedy="See its log"
        )
    return [text.partition("\n")[2] for text in found]


def read() -> Status:
    """Return BIRD's version and protocols, by one call of birdc; no version if no BIRD runs."""
    return parse(_birdc("show protocols all") or "")


def with_notifications(status: Status) -> Status:
    """Add what peers said when they ended sessions that are down: BIRD forgets it with its next attempt, its log not.

    Sessions get the detail "last_notification" where the journal of this host has one of the last day.
    """
    forgetful = [session for session in status.sessions.values() if session.forgetful]
    said = notifications(_journal()) if forgetful else {}
    for session in forgetful:
        if session.name in said:
            session.details["last_notification"] = said[session.name]
    return status


def _journal() -> list[str]:
    """Return BIRD's last messages in the journal; none where there is no journal."""
    try:
        return _run(
            "journalctl", "-q", "-t", "bird", "-o", "cat", "--since", "-1d", "-n", _MESSAGES
        ).stdout.splitlines()
    except FileNotFoundError:
        return []


def installed_version() -> tuple[int, int] | None:
    """Return the version of the installed BIRD, as (2, 17); None if there is none."""
    try:
        answer = _run("bird", "--version")
    except FileNotFoundError:
        return None
    found = re.search(r"(\d+)\.(\d+)", answer.stdout + answer.stderr)
    return (int(found.group(1)), int(found.group(2))) if found else OLDEST


def digest(text: str) -> str:
    """Return the digest that a configuration of ours carries; empty for any other text."""
    found = re.search(rf'^define {DIGEST} = "([0-9a-f]+)"', text, re.MULTILINE)
    return found.group(1) if found else ""


class Running(t.NamedTuple):
    """What BIRD runs: digest of the configuration (empty if it is not ours), and which secrets (empty for none)."""

    digest: str
    secrets: str


def running() -> Running | None:
    """Return what the running BIRD was configured with; None if no BIRD runs."""
    if ask("show status") is None:
        return None
    said = [answer.strip() for answer in ask_all([f"eval {DIGEST}", f"eval {SECRETS}"])]
    return Running(*(word if re.fullmatch(r"[0-9a-f]{16,64}", word) else "" for word in said))


def refuse_foreign(status: Status) -> None:
    """Raise Conflict if a BIRD that is not configured by us serves somebody: its sessions would end."""
    foreign = sorted(
        p.name for p in status.protocols.values() if p.kind in _ROUTING and not p.name.startswith("podnet_")
    )
    if foreign:
        raise Conflict(
            f"configure BIRD: the running BIRD has sessions that are not ours ({', '.join(foreign)})",
            remedy="Run it on another host, or stop and disable it if it is not needed any more",
        )


def check_config(path: str) -> None:
    """Have BIRD parse a configuration file; raises DaemonError with BIRD's words."""
    try:
        answer = _run("bird", "-p", "-c", path)
    except FileNotFoundError as error:
        raise DaemonError(
            "check BIRD's configuration: there is no bird", remedy="Install it (Debian: bird2)"
        ) from error
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip().replace(path, os.path.basename(CONFIG_PATH))
        raise DaemonError(f"check BIRD's configuration: {said}", remedy="This is a defect of ours: please report it")


def configure(path: str, seconds: int | None = None) -> None:
    """Have the running BIRD take over a file; after some seconds it undoes that by itself, unless it is confirmed."""
    limited = f" timeout {seconds}" if seconds is not None else ""
    answer = ask(f'configure "{path}"{limited}') or ""
    if "Reconfigur" not in answer:
        said = answer.strip().replace(path, os.path.basename(CONFIG_PATH))
        raise DaemonError(f"reconfigure BIRD: {said or 'no answer'}", remedy="See its log; the old one stays")


def confirm() -> None:
    """Have BIRD keep what it took over; raises DaemonError if it has undone it already."""
    answer = ask("configure confirm") or ""
    if "confirmed" not in answer:
        raise DaemonError(
            f"confirm BIRD's new configuration: {answer.strip() or 'no answer'}",
            remedy="It has undone the change, since its time was over; run again, with a longer timeout on a slow host",
        )


def undo() -> bool:
    """Have BIRD go back to the configuration that it had before; tell whether it says so."""
    return "Reconfigur" in (ask("configure undo") or "")
