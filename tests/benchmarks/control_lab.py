# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many nodes of the lab, and plays on them by this build of the collection or by another one."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks.measure import Cost, command

TESTS: t.Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("lab", "scenarios")]

from settings import CHECKOUT
from stage import PROGRAMS, Stage

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

_fleets = 0


class Fleet:
    """Nodes that nothing has happened to, from entering to leaving."""

    def __init__(self, count: int, encapsulation: str = "VXLAN") -> None:
        global _fleets
        _fleets += 1
        self._count, self._encapsulation = count, encapsulation
        self.stage = Stage(f"fleet{os.getpid() % 100000}{'abcdefgh'[_fleets % 8]}")

    def __enter__(self) -> Fleet:
        self.stage.up(self._count, self._encapsulation)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stage.down()

    def play(self, playbook: str, *, collections: Path | None = None) -> Cost:
        """Run a playbook, or raise MeasuringFailed; collections: of another build."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment["ANSIBLE_CONFIG"] = str(CHECKOUT / "ansible.cfg")
        environment["ANSIBLE_CONNECTION_PLUGINS"] = str(TESTS / "lab" / "plugins" / "connection")
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections or CHECKOUT / ".cache" / "collections")
        program = str(PROGRAMS / "ansible-playbook")
        return command([program, "-i", str(self.stage.inventory), playbook], environment=environment)
