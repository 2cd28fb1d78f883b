# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pyroute2, for what is not done in bulk: single devices and their addresses, and what the kernel's answers mean."""

from __future__ import annotations

import contextlib
import os
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError, MissingLibrary
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import REMEDIES
from ansible_collections.podnet.calico.plugins.module_utils.marks import ALIAS_PREFIX

PYROUTE2_ERROR: str | None = None
try:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError
except ImportError:
    PYROUTE2_ERROR = traceback.format_exc()

    class NetlinkError(Exception):  # type: ignore[no-redef]
        """Stands in for pyroute2's error so that this file imports without it; never raised."""

        code = 0


def open_netlink() -> t.Any:
    """Return pyroute2's IPRoute for the current network namespace; close it, or use it in a with statement."""
    if PYROUTE2_ERROR is not None:
        message = "talk to the kernel: Python's pyroute2 is not installed. Install it (Debian: python3-pyroute2)"
        raise MissingLibrary(message, PYROUTE2_ERROR)
    return IPRoute()


@contextlib.contextmanager
def explained(what: str) -> t.Iterator[None]:
    """Turn the kernel's refusal of what the body does into a KernelError that says what was attempted."""
    try:
        yield
    except NetlinkError as error:
        code = abs(int(error.code))
        text = os.strerror(code)
        raise KernelError(f"{what}: {text}", remedy=REMEDIES.get(code, ""), errno=code) from error
    except OSError as error:
        raise KernelError(f"{what}: {error.strerror}", remedy=REMEDIES.get(error.errno or 0, "")) from error


def is_ours(link: t.Any) -> bool:
    """Tell whether a link message carries our alias."""
    return (link.get_attr("IFLA_IFALIAS") or "").startswith(ALIAS_PREFIX)


def links(ipr: t.Any) -> dict[str, t.Any]:
    """Return the link messages of a namespace by name."""
    return {link.get_attr("IFLA_IFNAME"): link for link in ipr.get_links()}


def attributes(message: t.Any, name: str) -> dict[str, t.Any]:
    """Return a nested netlink attribute as a flat mapping; empty if it is not there."""
    nested = message.get_attr(name)
    if nested is None:
        return {}
    return dict(nested["attrs"])


def link_info(link: t.Any) -> tuple[str, dict[str, t.Any]]:
    """Return the kind of a link ("vxlan", "veth", "" for a plain device) and its kind's attributes."""
    info = attributes(link, "IFLA_LINKINFO")
    data = info.get("IFLA_INFO_DATA")
    return info.get("IFLA_INFO_KIND") or "", dict(data["attrs"]) if hasattr(data, "__getitem__") and data else {}
