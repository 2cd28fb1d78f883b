# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember what a host was before the first deployment, and prove after a reset that it is so again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.baseline.judge import differences, is_on, marks, ours
from ansible_collections.podnet.calico.plugins.module_utils.baseline.state import Baseline, state, take
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError, InvalidInput, PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.marks import BASELINE
from ansible_collections.podnet.calico.plugins.module_utils.regular_file import read_text

_NAMED = 20
_UNITS = "/etc/systemd/system"
_MADE = (
    "/etc/NetworkManager/conf.d",
    "/etc/bird",
    "/etc/cni/net.d",
    "/etc/cni",
    "/etc/iproute2/rt_protos.d",
    "/etc/iproute2",
    "/etc/podnet-calico",
    "/etc/sysctl.d",
    "/etc/systemd/network",
    "/etc/systemd/networkd.conf.d",
    "/run/podnet-calico/cni",
    "/run/podnet-calico",
    "/run/podnet.calico/netns",
    "/run/podnet.calico",
)
"""Folders that a deployment makes where they are missing; one comes before the one that it is in."""


class NotClean(PodnetError):
    """Something of ours is left on a host after all was removed."""


def remember(service: str, *, check_mode: bool) -> Outcome:
    """Write down what the host is, unless that is done already, or a deployment has been here before."""
    if os.path.exists(BASELINE):
        return Outcome([], {"marks": []})
    taken = take(service)
    found = marks(taken)
    if found:
        return Outcome([], {"marks": found[:_NAMED]})
    if not check_mode:
        owned_file.write(BASELINE, json.dumps(taken, indent=1, sort_keys=True) + "\n", mode=0o600)
    return Outcome([Change("file", BASELINE, None, "the state of the host before the first deployment")], {"marks": []})


def prove(service: str, kept: t.Sequence[str], *, check_mode: bool) -> Outcome:
    """Put folders and BIRD's unit back as they were, compare the host with what is remembered, and forget that.

    kept: paths that stay. Raises NotClean, which names all that is left of ours; then what is remembered stays, too.
    Check mode, in which nothing was removed before, does not compare.
    """
    before = _read()
    if before is None:
        return Outcome([], {"compared": False, "others": []})
    changes = [*_folders(before, kept), *_unit(before, service)]
    others: list[str] = []
    if not check_mode:
        for change in changes:
            _put_back(change)
        others = _judged(before, take(service), kept)
        owned_file.remove(BASELINE)
        with contextlib.suppress(OSError):  # somebody else keeps something there
            os.rmdir(os.path.dirname(BASELINE))
    changes.append(Change("file", BASELINE, "the state of the host before the first deployment", None))
    return Outcome(changes, {"compared": not check_mode, "others": others})


def _read() -> Baseline | None:
    remedy = "Remove it; then reset cannot tell whether the host is as it was before"
    try:
        found = json.loads(read_text(BASELINE))
    except FileNotFoundError:
        return None
    except (OSError, RecursionError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"read {BASELINE}: {reason}", remedy=remedy) from error
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise InvalidInput(f"read {BASELINE}: not the state of a host", remedy=remedy)
    return t.cast("Baseline", found)


def _folders(before: Baseline, kept: t.Sequence[str]) -> list[Change]:
    """Return the removal of empty folders that were not there; a folder that another one is all there is in, too.

    A folder above something kept may have been made for that before the baseline was taken.
    """
    above = {folder for path in kept for folder in _above(path)}
    going: list[str] = []
    for path in (*_drop_ins(), *_MADE):
        if (path in before["file"] and path not in above) or not os.path.isdir(path):
            continue
        if all(os.path.join(path, name) in going for name in os.listdir(path)):
            going.append(path)
    return [Change("folder", path, "empty", None) for path in going]


def _above(path: str) -> t.Iterator[str]:
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def _drop_ins() -> t.Iterator[str]:
    if not os.path.isdir(_UNITS):
        return
    with os.scandir(_UNITS) as entries:
        yield from (entry.path for entry in entries if entry.name.endswith(".service.d"))


def _unit(before: Baseline, service: str) -> list[Change]:
    """Return what has BIRD's unit run, now and at boot, just as it did before."""
    was, now = before["service"].get(service, ""), " ".join(state(service))
    return [Change("service", service, now, was)] if is_on(was) != is_on(now) else []


def _put_back(change: Change) -> None:
    if change.kind == "folder":
        os.rmdir(change.name)
        return
    (ran, at_boot), (runs, will_run) = is_on(change.after), is_on(change.before)
    verbs = ["enable" if at_boot else "disable"] if at_boot != will_run else []
    verbs += ["start" if ran else "stop"] if ran != runs else []
    for verb in verbs:
        answer = subprocess.run(["systemctl", verb, change.name], capture_output=True, text=True, check=False)
        if answer.returncode:
            raise DaemonError(f"{verb} {change.name}, as it was before: {answer.stderr.strip()}", remedy="See its log")


def _judged(before: Baseline, after: Baseline, kept: t.Sequence[str]) -> list[str]:
    """Return what others changed since, in words; raises NotClean if anything is left of ours."""
    found = differences(before, after, kept)
    left = [str(each) for each in found if ours(each, before)]
    if left:
        lines = "\n".join(f"  {line}" for line in left[:_NAMED])
        raise NotClean(
            f"prove that the host is clean: {len(left)} things are not as before the first deployment:\n{lines}",
            remedy=f"Run reset again. If one of it is right as it is now, remove {BASELINE} and run reset once more",
            left=left,
        )
    return [str(each) for each in found]
