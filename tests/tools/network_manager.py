# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager of the machine's own release, to run it in lab machines, with the libraries that these lack."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.tools.unpacked import tree

PACKAGES: t.Final = (
    *("network-manager", "libnm0", "libndp0", "libteamdctl0", "libmm-glib0", "libbluetooth3", "libjansson4"),
    *("libnewt0.52", "libpsl5", "libcurl3-gnutls", "libnghttp2-14", "librtmp1", "libssh2-1", "libldap-2.5-0"),
    *("libbrotli1", "libsasl2-2", "libglib2.0-0"),
)
# There is no polkit to ask, and eth0 is systemd-networkd's.
SETTINGS: t.Final = "[main]\nauth-polkit=false\n[keyfile]\nunmanaged-devices=interface-name:eth0\n"


def root() -> Path:
    """Return the folder with its usr and etc; fetches it if nobody has tried yet. Raises Unavailable."""
    return tree("network-manager", PACKAGES, _configure)


def _configure(found: Path) -> None:
    (found / "etc" / "NetworkManager" / "conf.d" / "lab.conf").write_text(SETTINGS)
    for name in ("doc", "locale", "man"):
        shutil.rmtree(found / "usr" / "share" / name, ignore_errors=True)
