# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's unit: what is changed, what systemctl has to do for it, and when BIRD has nothing left to do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import paths
from ansible_collections.podnet.calico.plugins.module_utils.bird.daemon import Running
from ansible_collections.podnet.calico.plugins.module_utils.bird.removal import is_done
from ansible_collections.podnet.calico.plugins.module_utils.bird.unit import (
    TEXT,
    Unit,
    changes,
    look,
    orders,
    orders_before_removal,
    refuse_unusable,
    removal,
)
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.systemd import Order, State

if t.TYPE_CHECKING:
    from pathlib import Path

NAME = "bird.service"
PATH = "/etc/systemd/system/bird.service.d/podnet-calico.conf"
OLD = TEXT + "# an older one\n"


def unit(drop_in: str = "", load: str = "loaded", *words: str) -> Unit:
    """Return a unit; words: what of its state is true."""
    return Unit(NAME, drop_in, State(load, *(name in words for name in ("active", "enabled", "outdated"))))


def state(*words: str) -> dict[str, bool]:
    return {name: name in words for name in ("active", "current", "enabled")}


DONE = state("active", "current", "enabled")
WRITTEN = Change("file", PATH, None, TEXT)
RELOAD, ENABLE, START = ("daemon-reload",), ("enable", NAME), ("start", NAME)

# The unit; its changes; what systemctl has to do.
Case = t.Tuple[Unit, t.List[Change], t.List[Order]]
PRESENT: dict[str, Case] = {
    "done": (unit(TEXT, "loaded", "active", "enabled"), [], []),
    "a package that is installed and started": (unit("", "loaded", "active", "enabled"), [WRITTEN], [RELOAD]),
    "a package whose unit is off": (
        unit(),
        [WRITTEN, Change("unit", NAME, state("current"), DONE)],
        [RELOAD, ENABLE, START],
    ),
    "no package yet": (unit("", "not-found"), [WRITTEN, Change("unit", NAME, None, DONE)], [RELOAD, ENABLE, START]),
    "another drop-in, of which systemd does not know": (
        unit(OLD, "loaded", "active", "enabled", "outdated"),
        [Change("file", PATH, OLD, TEXT)],
        [RELOAD],
    ),
    "a run that was killed after the drop-in": (
        unit(TEXT, "loaded", "active", "enabled", "outdated"),
        [Change("unit", NAME, state("active", "enabled"), DONE)],
        [RELOAD],
    ),
    "stopped": (
        unit(TEXT, "loaded", "enabled"),
        [Change("unit", NAME, state("current", "enabled"), DONE)],
        [START],
    ),
    "disabled": (
        unit(TEXT, "loaded", "active"),
        [Change("unit", NAME, state("active", "current"), DONE)],
        [ENABLE],
    ),
    "no systemd": (
        unit("", ""),
        [WRITTEN, Change("unit", NAME, state("current"), state("current", "enabled"))],
        [ENABLE],
    ),
    "no systemd, and done": (unit(TEXT, "", "enabled"), [], []),
}


@pytest.mark.parametrize("case", PRESENT.values(), ids=PRESENT)
def test_changes_are_what_systemctl_is_told(case: Case) -> None:
    there, expected, told = case
    assert (changes(there), orders(there)) == (expected, told)


def of_state(active: bool, enabled: bool) -> dict[str, bool]:
    return {"active": active, "enabled": enabled}


OFF = of_state(active=False, enabled=False)
GONE = Change("file", PATH, TEXT, None)
STOP, DISABLE = ("stop", NAME), ("disable", NAME)

# The unit; whether it stops; its changes; what systemctl has to do while the drop-in is there.
Removal = t.Tuple[Unit, bool, t.List[Change], t.List[Order]]
ABSENT: dict[str, Removal] = {
    "nothing of ours": (unit("", "loaded", "active", "enabled"), False, [], [STOP, DISABLE]),
    "one that serves somebody else": (unit(TEXT, "loaded", "active", "enabled"), False, [GONE], [STOP, DISABLE]),
    "ours": (
        unit(TEXT, "loaded", "active", "enabled"),
        True,
        [GONE, Change("unit", NAME, of_state(active=True, enabled=True), OFF)],
        [STOP, DISABLE],
    ),
    "ours, which was stopped": (
        unit(TEXT, "loaded", "enabled"),
        True,
        [GONE, Change("unit", NAME, of_state(active=False, enabled=True), OFF)],
        [DISABLE],
    ),
    "a package that is gone": (unit(TEXT, "not-found"), True, [GONE], []),
}


@pytest.mark.parametrize("case", ABSENT.values(), ids=ABSENT)
def test_a_removal_is_what_systemctl_is_told(case: Removal) -> None:
    there, stops, expected, told = case
    assert (removal(there, stops=stops), orders_before_removal(there)) == (expected, told)


# What BIRD runs; whether other things of ours go; whether the drop-in goes; whether BIRD has nothing left to do.
ENDS: dict[str, tuple[Running | None, bool, bool, bool]] = {
    "ours": (Running("abc", ""), True, True, True),
    "ours without its drop-in": (Running("abc", ""), True, False, True),
    "ours with nothing but its drop-in": (Running("abc", ""), False, True, True),
    "ours, long out of service": (Running("abc", ""), False, False, False),
    "somebody else's with our files": (Running("", ""), True, True, False),
    "stopped with our drop-in": (None, False, True, True),
    "stopped without our drop-in": (None, True, False, False),
}


@pytest.mark.parametrize("case", ENDS.values(), ids=ENDS)
def test_when_bird_has_nothing_left_to_do(case: tuple[Running | None, bool, bool, bool]) -> None:
    running, changed, drop_in, expected = case
    assert is_done(running, changes=changed, drop_in=drop_in) is expected


@pytest.mark.parametrize(
    ("load", "installed", "refused"),
    [
        ("loaded", True, False),
        ("", True, False),
        ("not-found", False, False),
        ("not-found", True, True),
        ("masked", True, True),
        ("masked", False, True),
    ],
)
def test_a_unit_that_cannot_be_started_is_refused(load: str, installed: bool, refused: bool) -> None:
    try:
        refuse_unusable(unit("", load), installed=installed)
    except Conflict as error:
        assert refused
        assert f"bird.service: systemd says that it is {load}" in str(error)
    else:
        assert not refused


@pytest.mark.parametrize("name", ["", "../bird", "bird bird", "a/b"])
def test_what_is_no_name_of_a_unit_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not the name of a unit"):
        look(name)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("bird/podnet-calico.conf", True),
        ("bird/podnet-calico-secrets.conf", True),
        ("bird/podnet-calico.conf.candidate", True),
        ("units/other.service.d/podnet-calico.conf", True),
        ("bird/bird.conf", False),
        ("units/bird.service.d/other.conf", False),
    ],
)
def test_files_of_ours_are_seen(file: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CONFIG_PATH", str(tmp_path / "bird" / "podnet-calico.conf"))
    monkeypatch.setattr(paths, "_DROP_IN", str(tmp_path / "units") + "/{}.d/podnet-calico.conf")
    assert paths.deployed() is False
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    assert paths.deployed() is expected
