# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that unit tests run, found without the help of PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

# Ansible's programs are beside the Python that it is installed for, whether or not that environment is activated.
PLACES = (
    str(Path(sys.executable).parent),
    *os.get_exec_path(),
    *(f"{root}/{folder}" for root in ("/usr/local", "/usr", "") for folder in ("sbin", "bin")),
)


def find(name: str) -> str:
    """Return the path of a program; the test is skipped where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join(PLACES))
    return found or pytest.skip(f"the program {name} is not installed")
