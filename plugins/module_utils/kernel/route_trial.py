# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes on trial: unless what follows ends well, a process that outlives its caller puts back what was there before.

It waits at a pipe. The caller says through it that all is well; if it fails, is killed, loses its connection with which
it dies, or takes too long, the pipe says so by its end, or by silence.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError, PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_apply import converge
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import Plan, plan, without_pods

WELL = b"+"
_UNTOUCHED, _FAILED, _BACK = 0, 1, 2  # what the process that waits has done

_STATES = {
    _UNTOUCHED: ("unchanged", "No route was changed"),
    _BACK: ("back", "The routes that were there before are back"),
    _FAILED: ("left", "The routes that were there before could not be put back: run the play that made them again"),
}
"""How routes are in the end: for programs, as "routes" in the failure's details, and for people."""


@contextlib.contextmanager
def on_trial(limit: float) -> t.Iterator[None]:
    """Keep what the body does to routes of ours if it ends without an error within so many seconds.

    Routes to pods are not looked at, since pods come and go meanwhile. Raises the error of the body, with the state of
    the routes in its message, as KernelError.
    """
    with Netlink() as netlink:
        before = without_pods(netlink, read(netlink), {})
    keeper = _start(before, limit)
    try:
        yield
        if keeper.end(well=True) != _UNTOUCHED:
            raise KernelError(
                f"prove the new routes: this took longer than {limit:.0f} seconds", remedy="Find out what is slow there"
            )
    except PodnetError as error:
        state, words = _STATES[keeper.end()]
        raise KernelError(
            f"{error.message}. {words}", remedy=error.remedy, **{**error.details, "routes": state}
        ) from error
    finally:
        keeper.end()


class _Keeper:
    """The caller's ends of two pipes to the process that waits: one for the verdict, one for its answer."""

    def __init__(self, telling: int, hearing: int) -> None:
        self._telling = telling
        self._hearing = hearing
        self._state: bytes | None = None

    def end(self, *, well: bool = False) -> int:
        """Say whether all is well, and return what the other process has done, when it has ended."""
        if self._state is None:
            with contextlib.suppress(BrokenPipeError):  # it has waited long enough
                os.write(self._telling, WELL if well else b"")
            os.close(self._telling)
            self._state = os.read(self._hearing, 1)
            os.close(self._hearing)
        return self._state[0] if self._state else _FAILED


def _start(before: t.Sequence[bytes], limit: float) -> _Keeper:
    """Start the process that waits, as nobody's child: whoever ends its caller with its children does not end it."""
    (listening, telling), (hearing, answering) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        with contextlib.suppress(OSError):
            if not os.fork():
                os.close(telling)
                _wait(listening, answering, limit, before)
            os._exit(0)
        os._exit(1)
    __, status = os.waitpid(child, 0)
    os.close(listening)
    os.close(answering)
    if status:
        raise KernelError(
            "start the process that would put routes back: the kernel refuses it. No route was changed",
            remedy="See whether the host has memory, and room for processes (ulimit -u, pids.max of the cgroup)",
        )
    return _Keeper(telling, hearing)


def _wait(listening: int, answering: int, limit: float, before: t.Sequence[bytes]) -> t.NoReturn:
    state = _FAILED
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        ready, __, __ = select.select([listening], [], [], limit)
        well = ready and os.read(listening, 1) == WELL
        os.close(listening)  # who is still at work gets to know
        state = _UNTOUCHED if well else _put_back(before)
    finally:
        with contextlib.suppress(OSError):  # nobody listens
            os.write(answering, bytes([state]))
        os._exit(0)


def _put_back(before: t.Sequence[bytes]) -> int:
    wanted = dict.fromkeys(before)
    with only_one(patience=math.inf), Netlink() as netlink:  # nobody else would put them back

        def look() -> Plan:
            return plan(without_pods(netlink, read(netlink), {}), wanted, Devices(), exclusive=True)

        changes = look()
        if not len(changes):
            return _UNTOUCHED
        converge(netlink, changes, look)
    return _BACK
