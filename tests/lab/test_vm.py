# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before a machine starts; the machines themselves are in tests/vm/test_life.py."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import vm
import vm_cache
from settings import Lab, LabError, Shape

LAB: t.Final = Lab(f"novm{os.getpid()}")
LAB_PY: t.Final = Path(__file__).resolve().parent / "lab.py"
UP: t.Final = ("up", "--kind", "vm", "--nodes", "3", "--subnets", "2")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def refused(*arguments: str, **environment: str) -> str:
    """Run lab.py, which has to fail and to leave nothing; return what it prints."""
    values = os.environ | {"PODNET_LAB_NAME": LAB.name} | environment
    try:
        answer = subprocess.run(
            [sys.executable, str(LAB_PY), *arguments], env=values, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 1, answer.stdout + answer.stderr
        assert not LAB.run_dir.exists() and not LAB.disks.exists()
    finally:
        with contextlib.suppress(FileNotFoundError):
            LAB.files.rmdir()
    return answer.stderr


def test_a_damaged_kernel_in_the_cache_is_refused_by_name(tmp_path: Path) -> None:
    tar = tmp_path / "kernel-7.2.13-0123abcd.tar"
    part = tmp_path / "part"
    part.write_text("a kernel")
    vm_cache.seal(part, tar)
    tar.write_text("another kernel")
    text = refused(*UP, PODNET_VM_CACHE=str(tmp_path))
    assert f"{tar} is damaged: its SHA-256 is" in text
    tar.with_name(f"{tar.name}.sha256").unlink()
    assert f"{tar} has no checksum" in refused(*UP, PODNET_VM_CACHE=str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["reboot", "node1"], f"No lab with nodes of kind vm runs under the name {LAB.name}"),
        (["up", "--kind", "kvm"], "KIND=kvm is not allowed: give one of netns, vm."),
        (["up", "--subnets", "3"], "SUBNETS=3 is not allowed: give 1 or 2."),
    ],
    ids=["no-lab", "kind", "subnets"],
)
def test_what_cannot_be_is_refused_by_name(arguments: list[str], reason: str) -> None:
    assert reason in refused(*arguments)


def test_more_machines_than_there_is_memory_for_are_refused() -> None:
    with pytest.raises(LabError, match="1000000 nodes of kind vm need about"):
        vm.check_memory(Shape(1_000_000, "VXLAN"))
