# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits, and what they say."""

from __future__ import annotations

import json
import typing as t

if t.TYPE_CHECKING:
    from stage import Played, Stage

CLEAN, FOUND, UNREACHABLE = 0, 2, 4  # Ansible's exit statuses


def audit(stage: Stage, *arguments: str, **options: t.Any) -> tuple[Played, dict[str, t.Any]]:
    """Return how an audit went, and its report; it has to change nothing."""
    file = stage.lab.files / "audit.json"
    file.unlink(missing_ok=True)
    played = stage.play("audit", "-e", f"calico_audit_report={file}", *arguments, **options)
    assert played.changed == []
    return played, json.loads(file.read_text())


def named(report: dict[str, t.Any], place: str) -> list[str]:
    """Return what a report names in a place, in words."""
    return [f"{each['category']} {each['kind']} {each['name']}" for each in report["places"][place]]
