# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module some of whose options hold secrets among other things, which ``no_log`` would hide as well."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.module import Module

Secrets = t.Callable[[t.Mapping[str, t.Any]], t.Iterable[str]]


class DiscreetModule(Module):
    """A module that has its secrets neither in the system's log nor in its result.

    AnsibleModule logs the options as soon as it has checked them, and returns them where it refuses one; so secrets are
    known from the moment on in which the options are.
    """

    def __init__(self, *, secrets: Secrets, **options: t.Any) -> None:
        """Make the module; secrets: returns them from the options, which may not be checked yet."""
        self._secrets = secrets
        super().__init__(**options)

    def _load_params(self) -> None:
        super()._load_params()
        self._hide()

    def _log_invocation(self) -> None:
        self._hide()
        super()._log_invocation()

    def _hide(self) -> None:
        known = [*map(str, self.no_log_values), *self._secrets(self.params)]
        self.no_log_values.update(form for secret in known for form in forms(secret))


def forms(secret: str) -> set[str]:
    """Return how a secret looks in a text: as it is, and as Python and JSON write one with several lines or quotes."""
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]} - {""}
