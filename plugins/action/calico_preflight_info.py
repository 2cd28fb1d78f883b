# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs calico_preflight_info, and bounds how far the host's clock is from the control machine's."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The module, between two looks at the control machine's clock."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result; its clock has earliest and latest, bounds of its offset in seconds.

        The host looked at its clock after the first and before the second look at this one.
        """
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        start = time.time()
        result.update(self._execute_module(task_vars=task_vars))
        end = time.time()
        clock = result.get("facts", {}).get("clock")
        if clock:
            clock.update(earliest=clock["now"] - end, latest=clock["now"] - start)
        return result
