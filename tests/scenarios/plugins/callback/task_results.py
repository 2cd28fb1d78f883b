# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one JSON line per result of a task, at the moment it comes."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: task_results
type: notification
short_description: one JSON line per result of a task
description:
  - Appends to the file that E(TASK_RESULTS) names. Lines have host, delegate (where the module ran), task, action,
    status (ok, skipped, failed, unreachable), changed, changes (of our modules) and message.
author: podnet.calico contributors
options: {}
"""


class CallbackModule(CallbackBase):
    """Appends results to the file that TASK_RESULTS names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "task_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status: str, result: t.Any) -> None:
        outcome = result._result
        delegated = outcome.get("_ansible_delegated_vars") or {}
        line = {
            "host": result._host.get_name(),
            "delegate": delegated.get("ansible_delegated_host") or result._host.get_name(),
            "task": result._task.get_name(),
            "action": result._task.resolved_action or result._task.action,
            "status": status,
            "changed": bool(outcome.get("changed")),
            "changes": [f"{c['action']} {c['kind']} {c['name']}" for c in outcome.get("changes", [])],
            "message": str(outcome.get("msg", "")) if status in ("failed", "unreachable") else "",
        }
        self._append(line)

    def _append(self, line: dict[str, t.Any]) -> None:
        with open(os.environ["TASK_RESULTS"], "a") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Note a task that went well."""
        self._write("ok", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Note a task that was not run."""
        self._write("skipped", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Note a task that failed."""
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Note a host that could not be reached."""
        self._write("unreachable", result)
