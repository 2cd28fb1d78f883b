# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the CNI plugins are on a host."""

from __future__ import annotations

import os

PLUGINS = ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")  # of packages in Debian and RHEL, of release archives


def plugins_folder(root: str = "/") -> str:
    """Return the directory of the CNI plugins: where they are, or else where the distribution's package puts them."""
    for folder in PLUGINS:
        if os.path.exists(os.path.join(root, folder[1:], "ptp")):
            return folder
    return PLUGINS[1] if os.path.exists(os.path.join(root, "etc/redhat-release")) else PLUGINS[0]
