# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine and which versions figures come from."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess


def describe() -> str:
    """Return one line: cores, memory, kernel and the versions of what is measured."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    iproute = subprocess.run(["ip", "-V"], capture_output=True, text=True, check=True).stdout
    facts = (
        f"{os.cpu_count()} cores",
        f"{pages / 2**30:.0f} GiB",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"ansible-core {_version('ansible-core')}",
        f"pyroute2 {_version('pyroute2')}",
        iproute.strip().replace("ip utility, ", "").split(",")[0].replace("-", " "),
        f"load {os.getloadavg()[0]:.1f}",
    )
    return ", ".join(facts)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
