# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls that cannot be: neither the kernel nor the file for the next boot has anything of them afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

FORWARD, REDIRECTS = "net.ipv4.ip_forward", "net.ipv4.conf.eth0.send_redirects"


def run(modules: Modules, host: Namespace, folder: Path, **sysctls: str) -> Result:
    """Run calico_sysctl on the host with an /etc/sysctl.d of its own."""
    return modules.run(host.path, "calico_sysctl", {"sysctls": sysctls}, binds={"/etc/sysctl.d": str(folder)})


@pytest.mark.parametrize("present", [True, False], ids=["with a file", "without one"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [("1\nkernel.panic = 1", "the value has several lines"), ("yes", f"set {REDIRECTS} to yes: Invalid argument")],
)
def test_all_stays_as_it_was(
    modules: Modules, host: Namespace, tmp_path: Path, value: str, reason: str, present: bool
) -> None:
    file = tmp_path / "90-podnet-calico.conf"
    host.run("sysctl -qw net.ipv4.ip_forward=0")
    if present:
        assert run(modules, host, tmp_path, **{"net.ipv4.conf.eth1.send_redirects": "0"})["changed"]
    before = file.read_text() if present else None
    dropped = host.sysctl("net/ipv4/conf/eth1/send_redirects")
    result = run(modules, host, tmp_path, **{FORWARD: "1", REDIRECTS: value})
    assert reason in result["msg"]
    assert (host.sysctl("net/ipv4/ip_forward"), host.sysctl("net/ipv4/conf/eth1/send_redirects")) == ("0", dropped)
    assert (file.read_text() if file.exists() else None) == before


def test_a_file_of_ours_that_is_a_directory_is_said(modules: Modules, host: Namespace, tmp_path: Path) -> None:
    (tmp_path / "90-podnet-calico.conf").mkdir()
    result = run(modules, host, tmp_path, **{FORWARD: "1"})
    path = "/etc/sysctl.d/90-podnet-calico.conf"
    assert result["msg"] == f"read {path}: not a regular file. Move it away and run this again"
