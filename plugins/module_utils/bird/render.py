# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's configuration for one node, as text: a pure function of the part "bgp" of its plan.

One daemon carries IPv4 and IPv6, and what belongs to an IP version ends in its digit: POOLS4, podnet_export6.
docs/bird.md explains the parts. For BIRD 2.0.12, 2.17 and 3.1, as Debian has them.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.render_kernel import kernel
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_policy import policy
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import INCLUDE, resolved
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_sessions import sessions, templates
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_underlay import connected, underlay
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

DIGEST = "PODNET_DIGEST"
DEVICE = "protocol device podnet_device { scan time 1; }"
BFD = """\
protocol bfd podnet_bfd {
  strict bind on;
  multihop { interval 300 ms; multiplier 3; };
}"""

Data = t.Mapping[str, t.Any]


def render(bgp: Data, *, bfd: bool = False, version: tuple[int, int] = (2, 0), passwords: Data | None = None) -> str:
    """Return the configuration.

    bgp: the part "bgp" of a NodePlan as data. bfd: the sessions are watched by BFD. version: BIRD's, as (2, 17).
    passwords: what is known of secrets, as {secret: {key: value}}; only names of constants come from it into the text.
    Without it every session that names a secret has a password. Raises InvalidInput for a password that is missing, and
    for what BIRD 3 cannot do.
    """
    bgp = bgp if passwords is None else resolved(bgp, passwords)
    parts = [
        _globals(bgp),
        *_secrets(bgp),
        DEVICE,
        connected(bgp),
        *(part for family in bgp["families"] for part in _family(bgp, family, version)),
        *([BFD] if bfd else []),
        *templates(bgp),
        *sessions(bgp, bfd, version),
    ]
    return _sealed("\n\n".join(parts) + "\n")


def render_empty() -> str:
    """Return a configuration with which BIRD takes its own routes out of the kernel and ends all sessions."""
    lines = ["router id 0.0.0.1;", DEVICE]
    for family in (4, 6):
        lines.append(
            f"protocol kernel podnet_kernel{family} {{ persist off; ipv{family} {{ import none; export none; }}; }}"
        )
    return _sealed("\n".join(lines) + "\n")


def _sealed(body: str) -> str:
    """Put the header and the configuration's own digest before it: a running BIRD can be asked for the digest."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{HEADER}\ndefine {DIGEST} = "{digest}";\n{body}'


def _globals(bgp: Data) -> str:
    lines = ["log syslog all;", f"router id {bgp['router_id']};", "graceful restart wait 15;"]
    if bgp["debug"]:
        level = "all" if bgp["debug"] == "all" else f"{{ {bgp['debug']} }}"
        lines.append(f"debug protocols {level};")
    return "\n".join(lines)


def _secrets(bgp: Data) -> list[str]:
    """Include the file of passwords, which lies beside this one, if a session has one."""
    if not any(session["password"] for session in bgp["sessions"]):
        return []
    return [f"# Passwords of sessions, as constants; readable by BIRD alone.\n{INCLUDE}"]


def _family(bgp: Data, family: Data, version: tuple[int, int]) -> list[str]:
    """Return the parts of an IP version before the sessions."""
    own = [session for session in bgp["sessions"] if session["family"] == family["version"]]
    return [*underlay(family, own, version), *kernel(family, own, version, bgp["debug"]), *policy(bgp, family, own)]
