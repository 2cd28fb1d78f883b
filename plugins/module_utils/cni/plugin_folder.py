# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the CNI plugins are on a host."""

from __future__ import annotations

import os
import typing as t

PLUGINS = ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")  # of packages in Debian and RHEL, of release archives


def plugins_folder(root: str = "/") -> str:
    """Return the directory of the CNI plugins: where they are, or else where the distribution's package puts them."""
    for folder in PLUGINS:
        if os.path.exists(os.path.join(root, folder[1:], "ptp")):
            return folder
    return PLUGINS[1] if os.path.exists(os.path.join(root, "etc/redhat-release")) else PLUGINS[0]


def missing(names: t.Iterable[str], bin_dir: str) -> list[str]:
    """Return the paths of plugins that a directory does not have; bin_dir: empty for where this host has them."""
    paths = [os.path.join(bin_dir or plugins_folder(), name) for name in names]
    return [path for path in paths if not os.access(path, os.X_OK)]
