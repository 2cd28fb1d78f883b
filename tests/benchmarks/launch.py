# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program and writes its peak resident memory (KiB) into a file: launch.py FILE PROGRAM ARGUMENT…

A program inherits the peak of the process that started it (getrusage(2), execve keeps it), so that has to be small.
"""

from __future__ import annotations

import resource
import subprocess
import sys

status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
