# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that shape what the verification found."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import join


class FilterModule:
    """Provides podnet.calico.ping_matrix."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"ping_matrix": join}
