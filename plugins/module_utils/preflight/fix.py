# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The safe remedies of preflight: sysctls and drop-ins of ours; what was mended stays mended until it is taken back."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file, systemd
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER
from ansible_collections.podnet.calico.plugins.module_utils.persist import boot_files, keep, networkd

SYSCTLS = "/etc/sysctl.d/99-zz-podnet-calico.conf"  # the last to be read, whatever others set
UDEV_LINK = "/etc/systemd/network/10-podnet-calico.link"
_UDEV_TEXT = f"""{HEADER}
# Links of pods and tunnels keep the MAC that they are made with.
[Match]
OriginalName=cali* vxlan.calico vxlan-v6.calico tunl0

[Link]
NamePolicy=keep
MACAddressPolicy=none
"""


class Wanted(t.NamedTuple):
    """What to mend. sysctls: name to value. underlay: devices whose addresses outlive a restart of systemd-networkd."""

    sysctls: t.Mapping[str, str]
    networkd: bool = False
    network_manager: bool = False
    udev: bool = False
    underlay: t.Sequence[str] = ()


def ensure(wanted: Wanted, *, check_mode: bool) -> Outcome:
    """Mend, beside what was mended before; files for network managers are those of calico_persist, and stay if ours.

    Raises Conflict for a file of somebody else, before anything is touched.
    """
    texts = _texts(wanted)
    before = {path: owned_file.read(path) for path in texts}
    texts = {path: text for path, text in texts.items() if not before[path] or path == UDEV_LINK}
    changes = compare("file", {path: before[path] for path in texts if before[path]}, texts)
    kept = {**sysctls.set_by_us(SYSCTLS), **wanted.sysctls}
    here = {name: value for name, value in kept.items() if os.path.exists(sysctls.path(name))}  # devices come and go
    settings: list[Change] = []
    if here:
        settings = list(sysctls.ensure(here, state="present", check_mode=check_mode, path_of_file=SYSCTLS).changes)
    if changes and not check_mode:
        _put(changes)
    return Outcome([*settings, *changes])


def remove(*, check_mode: bool) -> Outcome:
    """Take sysctls and the .link file back; files for network managers go with calico_persist's."""
    changes = list(sysctls.ensure({}, state="absent", check_mode=check_mode, path_of_file=SYSCTLS).changes)
    text = owned_file.read(UDEV_LINK)
    if text:
        changes += compare("file", {UDEV_LINK: text}, {})
    if text and not check_mode:
        owned_file.remove(UDEV_LINK)
    return Outcome(changes)


def _texts(wanted: Wanted) -> dict[str, str]:
    found = {UDEV_LINK: _UDEV_TEXT} if wanted.udev else {}
    if wanted.networkd or wanted.network_manager:
        made = boot_files.texts([], networkd=wanted.networkd, network_manager=wanted.network_manager)
        found.update({path: text for path, text in made.items() if path != boot_files.UNIT})
    if wanted.networkd:
        found.update(networkd.texts(wanted.underlay))
    return found


def _put(changes: t.Sequence[Change]) -> None:
    """Write files and have services read them. A run that is killed leaves PENDING: then deploy tells them."""
    told = [change.name for change in changes if change.name != UDEV_LINK]
    with only_one():
        if told:
            owned_file.write(boot_files.PENDING, boot_files.PENDING_TEXT)
        for change in changes:
            owned_file.write(change.name, change.after)
    if not told:
        return
    systemd.tell(keep.orders(told, False, manages=systemd.manages(), enabled=True, active=systemd.active))
    owned_file.remove(boot_files.PENDING)
