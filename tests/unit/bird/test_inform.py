# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for BIRD's routes: why they do not come is said as it is, also where there is no session at all."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import inform
from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol, Status
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError

UP, DOWN = "Established", "Active"


def session(name: str, info: str) -> Protocol:
    return Protocol(name, "BGP", "up" if info == UP else "start", "12:00:00", info)


@pytest.mark.parametrize(
    ("infos", "said"),
    [
        ([], "BIRD has no BGP session at all: podnet.calico.lint says which nodes have none"),
        ([UP, DOWN], "1 of 2 sessions are not established"),
        ([UP, UP], "All sessions are established: do the peers announce these routes"),
    ],
)
def test_why_routes_do_not_come(infos: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = {f"s{number}": session(f"s{number}", info) for number, info in enumerate(infos)}
    monkeypatch.setattr(inform, "Netlink", contextlib.nullcontext)
    monkeypatch.setattr(inform, "read", lambda netlink, protocol: [])
    monkeypatch.setattr(inform.daemon, "read", lambda: Status("2.0.12", t.cast("dict[str, Protocol]", sessions)))
    with pytest.raises(DaemonError) as caught:
        inform.inform([], ["10.244.0.0/26"], wait=0.01)
    assert "1 of 1 are not in the kernel: 10.244.0.0/26" in str(caught.value)
    assert said in str(caught.value)
