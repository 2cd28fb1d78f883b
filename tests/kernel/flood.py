# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends empty UDP packets to a port without end, as many as this machine can: python flood.py ADDRESS PORT."""

from __future__ import annotations

import contextlib
import socket
import sys


def main() -> None:
    """Send until somebody ends this."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect((sys.argv[1], int(sys.argv[2])))
        print("ready", flush=True)
        while True:
            with contextlib.suppress(OSError):
                opened.send(b"")


if __name__ == "__main__":
    main()
