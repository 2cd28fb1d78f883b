# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's datastore option to the datastore it names."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore.file import FileStore
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.marks import DATASTORE

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Datastore


def connect(params: t.Mapping[str, t.Any]) -> Datastore:
    """Return the datastore of a module's parameters; nothing is opened or created before the first operation.

    Raises InvalidInput for a path that is empty or not absolute: it is nobody's wish to write the default then.
    """
    given = (params.get("datastore") or {}).get("path")
    path = DATASTORE if given is None else given
    if not path.startswith("/") or "\0" in path:
        remedy = f"Give the absolute path of a folder, or leave it out to use {DATASTORE}"
        raise InvalidInput(f'datastore.path "{path}" is not an absolute path', remedy=remedy)
    return FileStore(path)
