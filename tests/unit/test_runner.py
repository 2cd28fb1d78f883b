# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where modules end: warnings go the way that Ansible has for them, since it complains of any other."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


class Module:
    _diff = False

    def __init__(self) -> None:
        self.params: dict[str, t.Any] = {}
        self.warned: list[str] = []
        self.result: dict[str, t.Any] = {}

    def warn(self, warning: str) -> None:
        self.warned.append(warning)

    def exit_json(self, **result: t.Any) -> None:
        self.result = result


WARNED: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "none": ({"version": "2.0.12"}, []),
    "an empty list": ({"version": "2.0.12", "warnings": []}, []),
    "two": ({"version": "2.0.12", "warnings": ["one is down", "one is full"]}, ["one is down", "one is full"]),
}


@pytest.mark.parametrize(("facts", "warned"), WARNED.values(), ids=WARNED)
def test_warnings_are_not_handed_over_as_a_result(facts: dict[str, t.Any], warned: list[str]) -> None:
    module = Module()
    run(t.cast("t.Any", module), lambda module: Outcome([], facts))
    assert module.warned == warned
    assert "warnings" not in module.result
    assert module.result["version"] == "2.0.12"
