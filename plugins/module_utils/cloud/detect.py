# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which platform a host runs: DMI gives a hint, the platform's metadata service confirms it and tells more."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud import dmi, metadata


class Places(t.NamedTuple):
    """Where to look: folder of DMI, file of the processor, URL of the metadata ("" for the usual), seconds to wait."""

    dmi: str
    cpuinfo: str
    url: str
    timeout: float


def detect(places: Places, *, platform: str = "", ask: str = "hinted") -> dict[str, t.Any]:
    """Return platform, evidence in words, whether metadata confirmed it, and that metadata (see metadata.read) or None.

    platform: what the user knows; "" to find out. ask: "never", "hinted" (only the platform that is known or that DMI
    speaks for), "always" (without a hint, one service after the other).
    """
    if platform:
        hint = dmi.Hint(platform, "the inventory says so")
    else:
        hint = dmi.guess(dmi.read(places.dmi), virtual=dmi.is_virtual(places.cpuinfo))
    known, found = hint, None
    if ask != "never" and hint.platform in metadata.SERVED:
        found = metadata.read(hint.platform, places.url, places.timeout)
    elif ask == "always" and not platform:
        answer = metadata.search(places.url, places.timeout)
        if answer:
            known, found = dmi.Hint(answer[0], "its metadata service answers"), answer[1]
    return {**known._asdict(), "confirmed": found is not None, "metadata": found}
