# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take so many bytes of one TCP connection, and answer with one: arguments address, port, number of bytes."""

from __future__ import annotations

import socket
import sys

with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    print("listening", flush=True)
    taken, __ = server.accept()
    with taken:
        got, box = 0, bytearray(1 << 20)
        while got < int(sys.argv[3]):
            got += taken.recv_into(box) or sys.exit(1)
        taken.send(b".")
