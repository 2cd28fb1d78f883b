# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netlink requests that make a VXLAN device, without pyroute2: a probe makes one for a moment on every host."""

from __future__ import annotations

import ipaddress

from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    ADDRESS,
    IFALIAS,
    INFO_DATA,
    INFO_KIND,
    LINKINFO,
    NAME,
    alias,
    packed_mac,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Request
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_entries import Entry
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFINFO,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_NEWLINK,
    RTM_SETLINK,
    attribute,
    nested,
    number,
    text,
)

_ID, _LINK, _LOCAL, _LEARNING, _PORT, _LOCAL6 = 1, 3, 4, 7, 15, 17  # IFLA_VXLAN_… (linux/if_link.h)


def creation(name: str, wanted: Entry, parent: int) -> list[Request]:
    """Return the requests that make a VXLAN device on the device with an index, or on none (0), and mark it."""
    local = ipaddress.ip_address(wanted["local"])
    data = (
        number(_ID, wanted["vni"])
        + (number(_LINK, parent) if parent else b"")
        + attribute(_PORT, wanted["port"].to_bytes(2, "big"))
    )
    data += attribute(_LEARNING, b"\0") + attribute(_LOCAL if local.version == 4 else _LOCAL6, local.packed)
    info = text(INFO_KIND, "vxlan") + nested(INFO_DATA, data)
    head = IFINFO.pack(0, 0, 0, 0, 0) + text(NAME, name)
    body = head + attribute(ADDRESS, packed_mac(wanted["mac"])) + nested(LINKINFO, info)
    mark = head + attribute(IFALIAS, alias("tunnel").encode())
    return [(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body), (RTM_SETLINK, 0, mark)]
