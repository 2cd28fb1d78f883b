# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of the collection: what was attempted, on what, why it failed, what to do."""

from __future__ import annotations

import typing as t


class PodnetError(Exception):
    """The root of all expected failures; modules turn it into their failure message.

    message: what was attempted, on what, and why it failed. remedy: what the user can do.
    """

    def __init__(self, message: str, *, remedy: str = "", **details: t.Any) -> None:
        super().__init__(f"{message}. {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def as_dict(self) -> dict[str, t.Any]:
        """Return the failure as data, for a module's result."""
        return {"kind": type(self).__name__, "message": self.message, "remedy": self.remedy, **self.details}


class InvalidInput(PodnetError):
    """A value given by the user cannot be used; nothing has been touched."""


class Conflict(PodnetError):
    """Something exists with another owner, or was changed by somebody else in the meantime."""


class DatastoreError(PodnetError):
    """The datastore cannot be read or written."""


class FileError(PodnetError):
    """A file on the host cannot be read or written."""


class KernelError(PodnetError):
    """The kernel refused a change."""


class DaemonError(PodnetError):
    """A daemon refused a configuration or does not answer."""


class CloudError(PodnetError):
    """A cloud's interface refuses or does not answer."""


class MissingLibrary(PodnetError):
    """A Python library that the work needs is not installed on the target; trace is the import's traceback."""

    def __init__(self, message: str, trace: str | None) -> None:
        super().__init__(message)
        self.trace = trace


def refuse_twice(option: str, names: t.Iterable[str]) -> None:
    """Raise InvalidInput if a list that an option gives names something more than once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"{option}: {name} is listed twice", remedy="List it once")
        seen.add(name)


def raise_all(problems: t.Sequence[InvalidInput]) -> None:
    """Raise nothing for no problem, the problem for one, and one error that lists them all for several."""
    if not problems:
        return
    if len(problems) == 1:
        raise problems[0]
    lines = "\n".join(f"  - {problem}" for problem in problems)
    raise InvalidInput(f"{len(problems)} problems:\n{lines}", problems=[problem.as_dict() for problem in problems])
