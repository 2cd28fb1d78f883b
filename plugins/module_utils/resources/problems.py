# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking apart errors that list several problems, so that lists of lists become one list."""

from __future__ import annotations

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput


def problems_of(error: InvalidInput) -> list[InvalidInput]:
    """Return the problems that an error lists, or the error itself if it is about one."""
    listed = error.details.get("problems")
    if not listed:
        return [error]
    return [
        InvalidInput(
            problem["message"],
            remedy=problem["remedy"],
            **{key: value for key, value in problem.items() if key not in ("kind", "message", "remedy")},
        )
        for problem in listed
    ]
