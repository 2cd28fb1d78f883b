# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's systemd unit: a drop-in by which it runs our configuration and keeps routes over a restart, and its state."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file, systemd
from ansible_collections.podnet.calico.plugins.module_utils.bird.paths import CONFIG_PATH, drop_in
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.systemd import Order, State

_KEEPS = """R=; [ -n "$(ip route show proto bird; ip -6 route show proto bird)" ] && R=-R"""
TEXT = f"""\
{owned_file.HEADER}
# BIRD keeps its routes in the kernel when it stops (graceful restart), and takes them over with -R when it starts while
# they are still there; without them it would only wait for peers.
[Service]
ExecStartPre=
ExecStartPre=-/usr/lib/bird/prepare-environment
ExecStartPre=/usr/sbin/bird -p -c {CONFIG_PATH}
ExecStart=
ExecStart=/bin/sh -c '{_KEEPS}; exec /usr/sbin/bird -f $R -c {CONFIG_PATH} -u bird -g bird'
ExecReload=
ExecReload=/usr/sbin/birdc configure '"{CONFIG_PATH}"'
ExecStop=/usr/sbin/birdc graceful restart
Restart=on-failure
"""
"""The drop-in."""

_NAME = re.compile(r"[\w:.@\\-]+")  # systemd.unit(5)
_UNUSABLE = {
    "not-found": "Give the name of BIRD's unit, or install the package that has it",
    "masked": "Run `systemctl unmask` on it, or take BIRD out of the plan",
}


class Unit(t.NamedTuple):
    """BIRD's unit on this host. name: with ".service". drop_in: the text of ours, empty for none."""

    name: str
    drop_in: str
    state: State

    @property
    def path(self) -> str:
        """Return where our drop-in is."""
        return drop_in(self.name)


def look(service: str) -> Unit:
    """Return how a unit, named without ".service", is; raises Conflict for a drop-in of somebody else in our place."""
    if not _NAME.fullmatch(service):
        raise InvalidInput(f'service: "{service}" is not the name of a unit', remedy="Write it as bird")
    name = f"{service}.service"
    return Unit(name, owned_file.read(drop_in(name)), systemd.state(name))


def refuse_unusable(unit: Unit, *, installed: bool) -> None:
    """Raise Conflict for a unit that systemd cannot start; installed: whether BIRD is, which brings its unit."""
    load = unit.state.load
    if load in _UNUSABLE and (installed or load != "not-found"):
        raise Conflict(f"start {unit.name}: systemd says that it is {load}", remedy=_UNUSABLE[load])


def changes(unit: Unit) -> list[Change]:
    """Return what has the unit run our configuration, now and after a boot; where no systemd runs, after a boot.

    A unit that systemd does not know, since its package is not installed yet, is a unit to be created.
    """
    files = compare("file", _files(unit), {unit.path: TEXT})
    state = unit.state
    before = {"active": state.active, "current": bool(files) or not state.outdated, "enabled": state.enabled}
    after = {"active": state.active or state.managed, "current": True, "enabled": True}
    known = {} if state.load == "not-found" else {unit.name: before}
    return files + compare("unit", known, {unit.name: after})


def start(unit: Unit) -> None:
    """Make these changes; raises DaemonError. A unit that runs goes on running."""
    if unit.drop_in != TEXT:
        owned_file.write(unit.path, TEXT)
    systemd.tell(orders(unit))


def orders(unit: Unit) -> list[Order]:
    """Return what systemctl has to do once the drop-in is in place."""
    state = unit.state
    reloads = state.managed and (unit.drop_in != TEXT or state.outdated)
    steps = ((reloads, ("daemon-reload",)), (not state.enabled, ("enable", unit.name)))
    starts = state.managed and not state.active
    return [order for needed, order in (*steps, (starts, ("start", unit.name))) if needed]


def removal(unit: Unit, *, stops: bool) -> list[Change]:
    """Return what takes our drop-in away and, if it stops, has the unit not run, now or after a boot."""
    files = compare("file", _files(unit), {})
    state = {"active": unit.state.active, "enabled": unit.state.enabled}
    after = {"active": False, "enabled": False} if stops else state
    return files + compare("unit", {unit.name: state}, {unit.name: after})


def leave(unit: Unit, *, stops: bool) -> None:
    """Make these changes; raises DaemonError. The drop-in goes last: as long as it is there, the unit is ours."""
    systemd.tell(orders_before_removal(unit) if stops else [])
    if unit.drop_in:
        owned_file.remove(unit.path)
    if unit.state.managed and (unit.drop_in or unit.state.outdated):
        systemd.tell([("daemon-reload",)])


def orders_before_removal(unit: Unit) -> list[Order]:
    """Return what systemctl has to do to have a unit not run, now or after a boot."""
    stop: list[Order] = [("stop", unit.name)] if unit.state.active else []
    disable: list[Order] = [("disable", unit.name)] if unit.state.enabled else []
    return stop + disable


def _files(unit: Unit) -> dict[str, str]:
    return {unit.path: unit.drop_in} if unit.drop_in else {}
