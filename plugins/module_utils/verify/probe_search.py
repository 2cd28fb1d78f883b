# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest packet that passes, by halving: which size to try next; pure."""

from __future__ import annotations

_NEAR = 128  # bytes that tunnels of providers take at most, as a rule: how much less is tried first
_TRIES_OF_MOST = 3  # of the upper bound, which most paths carry
_TRIES = 2  # of a size, so that one packet that is lost on the way does not make the path narrower


class Search:
    """Finds the largest size (bytes) that passes between one that does and an upper bound.

    passes: a size that passes. most: none above it can. size: what to try next, None at the end; until then found is
    the largest size of which it is known.
    """

    def __init__(self, passes: int, most: int) -> None:
        self.found, self._most = passes, most
        self._least_failing = max(passes, most) + 1
        self._failures = 0
        self.size: int | None = None
        self._aim(most)

    def answer(self, passed: bool) -> None:
        """Take in whether a packet of `size` came through, and set `size` to the next one, None at the end."""
        if self.size is None:
            return
        if not passed:
            self._failures += 1
            if self._failures < (_TRIES_OF_MOST if self.size == self._most else _TRIES):
                return
            near = self.size - _NEAR if self.size == self._most else 0
            self._least_failing = self.size
            if near > self.found:
                self._aim(near)
                return
        else:
            self.found = self.size
        self._aim((self.found + self._least_failing) // 2)

    def _aim(self, size: int) -> None:
        self._failures = 0
        self.size = size if self.found < size < self._least_failing else None
