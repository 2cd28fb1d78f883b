# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's datastore option to the datastore it names."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore.file import FileStore

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Datastore

DEFAULT_PATH = "/etc/podnet-calico/datastore"


def connect(params: t.Mapping[str, t.Any]) -> Datastore:
    """Return the datastore of a module's parameters; nothing is opened or created before the first operation."""
    options = params.get("datastore") or {}
    return FileStore(options.get("path") or DEFAULT_PATH)
