# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and indexes of this network namespace's devices, looked up as they are needed."""

from __future__ import annotations

import socket

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError

_FIRST_UNBORN = 0x7FFF0000  # stands for devices that are not there; the kernel counts up from 1


class Devices:
    """Looks devices up. unborn: whether one may be missing, as in check mode, where it is yet to be made."""

    def __init__(self, *, unborn: bool = False) -> None:
        self._unborn = unborn
        self._indexes: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def index(self, name: str, what: str) -> int:
        """Return the index of a device; raises KernelError, which says for what, if it is missing and may not be."""
        if name not in self._indexes:
            self._learn(name, self._look_up(name, what))
        return self._indexes[name]

    def name(self, index: int) -> str:
        """Return the name of a device, or its index as text if it is gone."""
        if index not in self._names:
            try:
                self._learn(socket.if_indextoname(index), index)
            except OSError:
                self._names[index] = str(index)
        return self._names[index]

    def _learn(self, name: str, index: int) -> None:
        self._indexes[name], self._names[index] = index, name

    def _look_up(self, name: str, what: str) -> int:
        try:
            return socket.if_nametoindex(name)
        except (OSError, ValueError) as error:
            if not self._unborn:
                message = f"{what}: there is no device {name}"
                raise KernelError(message, remedy="Create the device first, or correct its name") from error
            return _FIRST_UNBORN + len(self._indexes)
