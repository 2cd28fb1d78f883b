# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of the container runtime's networks: our file, and those of others that are taken instead of ours."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import spec
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

OURS = "10-podnet-calico.conflist"
MOVED = ".podnet-moved"  # what the names of files of others end in that were moved aside

_READ_BY_RUNTIMES = (".conf", ".conflist", ".json")  # libcni/api.go: ConfFiles; the first by name is taken


class Rival(t.NamedTuple):
    """A network file of somebody else that is in ours' way: its name, and why it is."""

    file: str
    reason: str


def others(folder: str) -> list[str]:
    """Return the names of all files but ours that a runtime takes for networks, in its order."""
    named = [name for name in _names(folder) if name != OURS and name.endswith(_READ_BY_RUNTIMES)]
    return [name for name in named if not os.path.isdir(os.path.join(folder, name))]


def _names(folder: str) -> list[str]:
    """Return the names of all files in order; raises Conflict for a folder that is none."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise _no_folder(folder) from error


def _no_folder(folder: str) -> Conflict:
    message = f"use {folder} as the folder of the container runtime's networks: it, or what it is in, is a file"
    return Conflict(message, remedy="Correct config_dir (cni_config_dir), or move that file away")


def rivals(folder: str, network: str) -> list[Rival]:
    """Return the files that a runtime takes before ours, and those whose network has the name of ours."""
    found = []
    for name in others(folder):
        content, problem = _network(os.path.join(folder, name))
        if name < OURS:
            after = f", and {problem}" if problem else ""
            found.append(Rival(name, f"sorts before {OURS}, so that runtimes take it instead{after}"))
        elif isinstance(content, dict) and content.get("name") == network:
            found.append(Rival(name, f"has a network with the same name, {network}"))
    return found


def taken_too(folder: str, number: int) -> list[Rival]:
    """Return the files behind ours that a containerd takes as well; number: how many it takes, 0 for all of them.

    Each is one more network of every pod, and one that it cannot parse takes the network from the node.
    """
    order = sorted([OURS, *others(folder)])
    found = []
    for name in order[order.index(OURS) + 1 : number or None]:
        content, problem = _network(os.path.join(folder, name))
        if not problem and not (isinstance(content, dict) and ("type" in content or "plugins" in content)):
            problem = "describes no plugin"
        found.append(Rival(name, problem or "is a network of every pod, too"))
    return found


def plugins(folder: str) -> list[str]:
    """Return the plugins that our list names, also those for addresses; none where there is no list."""
    content, __ = _network(os.path.join(folder, OURS))
    listed = content.get("plugins") if isinstance(content, dict) else None
    parts = [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    parts += [part["ipam"] for part in parts if isinstance(part.get("ipam"), dict)]
    return sorted({str(part["type"]) for part in parts if part.get("type")})


def _network(path: str) -> tuple[t.Any, str]:
    """Return the content of a file, and what is wrong with it, of which the other one is empty."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file), ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except ValueError as error:
        return None, f"is not JSON ({error})"


class Present(t.NamedTuple):
    """A file of ours as it is: its text, the data in it, and its permissions; empty and None where there is none."""

    text: str
    data: t.Any
    mode: str


def ours(folder: str) -> Present:
    """Return our list as it is; raises Conflict for what is no file, or no JSON: then somebody else has written it."""
    path = os.path.join(folder, OURS)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Present("", None, "")
    except NotADirectoryError as error:
        raise _no_folder(folder) from error
    if not stat.S_ISREG(status.st_mode):
        raise Conflict(f"read {path}: it is not a regular file", remedy="Move it away")
    content, problem = _network(path)
    if problem:
        raise Conflict(f"read {path}: it {problem}", remedy="Remove it, and run this again: it is written anew")
    with open(path, encoding="utf-8") as file:
        return Present(file.read(), content, f"{stat.S_IMODE(status.st_mode):04o}")


def named(folder: str) -> str:
    """Return the name of the network in our list; empty where there is none, or none that can be one."""
    content, __ = _network(os.path.join(folder, OURS))
    name = content.get("name") if isinstance(content, dict) else None
    return str(name) if spec.is_name(name) else ""


def refuse_to_move(folder: str, names: t.Iterable[str]) -> None:
    """Raise Conflict where a file cannot be moved aside since the place is taken."""
    for name in names:
        if os.path.lexists(os.path.join(folder, name + MOVED)):
            message = f"move {os.path.join(folder, name)} aside: {name}{MOVED} is there already"
            raise Conflict(message, remedy="Remove the one that is not needed any more")


def moved(folder: str) -> list[str]:
    """Return the names that files had before they were moved aside."""
    return [name[: -len(MOVED)] for name in _names(folder) if name.endswith(MOVED)]
