# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlink socket through pyroute2, here or in another network namespace, and what the kernel's answers mean."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError, MissingLibrary

PYROUTE2_ERROR: str | None = None
try:
    from pyroute2 import IPRoute
    from pyroute2 import netns as netns_library  # pylint: disable=unused-import  # endpoints.py takes it from here
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netns import setns
except ImportError:
    PYROUTE2_ERROR = traceback.format_exc()
    netns_library = None

    class NetlinkError(Exception):  # type: ignore[no-redef]
        """Stands in for pyroute2's error so that this file imports without it; never raised."""

        code = 0


if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

NETNS_DIRECTORY = "/run/netns"
ALIAS_PREFIX = "podnet.calico"

# What to do about the answers that users meet most.
_REMEDIES = {
    errno.EPERM: "Run as root (become: true)",
    errno.EOPNOTSUPP: "This kernel lacks the feature; load its module or use another encapsulation",
    errno.ENETUNREACH: "The gateway is not reachable through that device; set onlink if it is meant so",
    errno.EHOSTUNREACH: "The gateway is not reachable through that device; set onlink if it is meant so",
    errno.EEXIST: "Something of that name or destination is there already and is not ours; remove it first",
    errno.ENODEV: "The device does not exist (any more); create it first",
}


def open_netlink() -> t.Any:
    """Return pyroute2's IPRoute for the current network namespace; close it, or use it in a with statement."""
    if PYROUTE2_ERROR is not None:
        message = "talk to the kernel: Python's pyroute2 is not installed. Install it (Debian: python3-pyroute2)"
        raise MissingLibrary(message, PYROUTE2_ERROR)
    return IPRoute()


class namespace:
    """Run the body inside another network namespace and come back, whatever happens.

    Sockets opened in the body stay in the namespace. path: a name below /run/netns, or a path such as /proc/123/ns/net.
    """

    def __init__(self, path: str) -> None:
        self._path = namespace_path(path)
        self._back = -1

    def __enter__(self) -> None:
        self._back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            target = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            os.close(self._back)
            raise KernelError(
                f"enter network namespace {self._path}: {error.strerror}", remedy="Create it first, or correct its name"
            ) from error
        with contextlib.closing(_Descriptor(target)):
            setns(target)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.closing(_Descriptor(self._back)):
            setns(self._back)


class _Descriptor:
    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


def namespace_path(name: str) -> str:
    """Return the path of a network namespace given by name or path."""
    return name if "/" in name else f"{NETNS_DIRECTORY}/{name}"


@contextlib.contextmanager
def explained(what: str) -> t.Iterator[None]:
    """Turn the kernel's refusal of what the body does into a KernelError that says what was attempted."""
    try:
        yield
    except NetlinkError as error:
        code = abs(int(error.code))
        text = os.strerror(code)
        raise KernelError(f"{what}: {text}", remedy=_REMEDIES.get(code, ""), errno=code) from error
    except OSError as error:
        raise KernelError(f"{what}: {error.strerror}", remedy=_REMEDIES.get(error.errno or 0, "")) from error


def canonical_mac(text: str) -> str:
    """Return a MAC in its canonical spelling, lower case with colons; raises ValueError for what is none."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}", text):
        raise ValueError(text)
    return text.lower().replace("-", ":")


def alias(text: str) -> str:
    """Return the link alias that marks a link as ours."""
    return f"{ALIAS_PREFIX} {text}"[:255]


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
