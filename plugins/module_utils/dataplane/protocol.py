# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file by which `ip route` shows the protocol number of our routes as a name."""

from __future__ import annotations

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.marks import PROTOCOL_FILE, PROTOCOL_NAME, ROUTE_PROTOCOL

TEXT = f"{owned_file.HEADER}\n{ROUTE_PROTOCOL} {PROTOCOL_NAME}\n"


def ensure(*, present: bool, check_mode: bool) -> Outcome:
    """Have the file, or have none. Raises Conflict for a file of somebody else, and FileError."""
    there = owned_file.read(PROTOCOL_FILE)
    before, after = ({PROTOCOL_FILE: text} if text else {} for text in (there, TEXT if present else ""))
    changes = compare("file", before, after)
    if changes and not check_mode:
        if present:
            owned_file.write(PROTOCOL_FILE, TEXT)
        else:
            owned_file.remove(PROTOCOL_FILE)
    return Outcome(changes)
