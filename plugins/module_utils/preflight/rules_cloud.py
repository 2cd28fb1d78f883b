# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings of the platforms that the hosts run on: what cloud.judge says of the wanted modes; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import ERROR, NOTE, WARNING, Finding

Row = t.Mapping[str, t.Any]

_SEVERITIES = {"error": ERROR, "warning": WARNING, "information": NOTE}
# What a probe calls the packets of the table of platforms and modes.
_PROBED = {"direct": "pod", "ipip": "ipip", "vxlan": "vxlan"}
_PASSES = "The probe saw such packets pass between all hosts"
_UNSEEN = "The probe saw such packets pass, but those go to nodes' addresses and need no routes to pods"


def of_cloud(cloud: Row | None, probe: Row | None) -> t.Iterator[tuple[list[str], Finding]]:
    """Yield a finding, with its hosts, for each mode that does not work on a platform, or on a condition only.

    cloud: the verdict of cloud.judge on what is wanted, with "evidence" of each host; None for none. probe: the verdict
    of a probe. A condition is a note once a probe saw the packets in question pass, unless it takes routes of the
    network: a probe's packets come from a pod's address but go to a node's, which needs none.
    """
    if not cloud:
        return
    for found in cloud["findings"]:
        if found["kind"] == "unknown":
            continue
        severity, remedy = _SEVERITIES[found["severity"]], found["remedy"]
        why = "packets between pods of different hosts are lost"
        if found["works"] == "works if":
            why = f"otherwise {why}"
            if not _passed(found["packets"], probe):
                remedy = f"{remedy}. podnet.calico.cloud sets that, or has the commands"
            elif found["routes"]:
                remedy = f"{remedy}. {_UNSEEN}"
            else:
                severity, remedy = NOTE, _PASSES
        else:
            remedy = f"{remedy}. Can work here: {', '.join(cloud['able']) or 'no mode'}; cloud_ignore overrides this"
        for host in found["hosts"]:
            yield (
                [host],
                Finding("cloud-mode", severity, "cloud", found["what"], cloud["evidence"][host], why, remedy),
            )


def _passed(packets: t.Iterable[str], probe: Row | None) -> bool:
    """Tell whether a probe was made and misses none of these packets."""
    if not probe or probe.get("broken") or probe.get("unseen"):
        return False
    lost = {found["kind"] for found in probe.get("findings", [])}
    return not lost & {"plain", *(_PROBED[each] for each in packets)}
