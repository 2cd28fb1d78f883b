# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of a host against its plan, part by part, each by the changes that its applier would make."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import marks
from ansible_collections.podnet.calico.plugins.module_utils.dataplane import protocol
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.verify import (
    audit_bird,
    audit_files,
    audit_kernel,
    audit_leases,
    audit_routes,
)
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import Finding, guarded


def of_host(plan: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> t.Iterator[Finding]:
    """Yield every finding on this host; options: those of calico_audit."""
    bind = functools.partial
    bird = bind(audit_bird.of_bird, plan["bgp"], options["passwords"], options["bfd"], options["bird_service"])
    with Netlink() as netlink:
        looks: list[tuple[str, t.Callable[[], t.Iterable[Finding]]]] = [
            ("sysctl", bind(audit_kernel.of_sysctls, plan)),
            ("tunnel", bind(audit_kernel.of_tunnels, netlink, plan, options["checksum_offload"])),
            ("route", bind(audit_routes.of_routes, netlink, plan)),
            ("nat", bind(audit_kernel.of_nat, plan)),
            ("file", bind(audit_kernel.of_persisted, plan, options["checksum_offload"])),
            ("bird", bird),
            ("file", bind(audit_files.of_files, {marks.PROTOCOL_FILE: protocol.TEXT})),
            ("network", bind(audit_files.of_networks, plan, options["cni"])),
            ("network", bind(audit_leases.of_leases, netlink, plan, options["cni"])),
        ]
        for kind, look in looks:
            yield from guarded(kind, look)
