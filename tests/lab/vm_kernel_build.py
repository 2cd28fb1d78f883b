# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the kernel of virtual machines from the newest sources that Debian has."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import apt_root
import commands
import vm_cache
from settings import LabError

Say = t.Callable[[str], None]
# The suites that are asked, the first that has such sources wins.
SUITES: t.Final = ("trixie-backports", "sid")
# Guests without privileges that call the machine's kernel by its seccomp filters, five times as fast as by ptrace.
OLDEST: t.Final = (6, 16)
PACKAGE: t.Final = re.compile(r"^linux-source-([0-9]+)\.([0-9]+) ", re.MULTILINE)
TOOLS: t.Final = ("bc", "bison", "depmod", "flex", "gcc", "make", "strip", "xz")
# What no guest needs, two thirds of the sources; the descriptions of all options (Kconfig) stay.
LEFT_OUT: t.Final = (
    *("*/Documentation/*/*", "*/tools/perf/*", "*/tools/testing/*", "*/arch/[!ux]*/*.[chS]", "*.dts", "*.dtsi"),
    *(
        f"*/{name}/*.[ch]"
        for name in (
            *("drivers/gpu", "drivers/infiniband", "drivers/media", "drivers/net/ethernet", "drivers/net/wireless"),
            *("drivers/scsi", "drivers/staging", "sound"),
        )
    ),
)
REPORT_SECONDS: t.Final = 30.0
# How many lines `make` prints for the whole build, about.
STEPS: t.Final = 1600


def build(cache: Path, fragment: Path, key: str, say: Say) -> Path:
    """Build a kernel with the options of a fragment; return its tar in the cache. Raises LabError."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise LabError(f"Building a kernel needs {', '.join(missing)}: run `sudo tests/lab/bootstrap.sh vm`.")
    with tempfile.TemporaryDirectory(dir=cache, prefix="new-kernel-") as directory:
        place = Path(directory)
        sources = _unpack(_fetch(place / "apt", say), place / "sources", say)
        _make(sources, place / "build", fragment, say)
        version = commands.run("make", "-s", "-C", str(sources), "kernelversion").strip()
        path = cache / f"kernel-{version}-{key}.tar"
        vm_cache.seal(_pack(sources, place), path)
    say(f"Built kernel {version}")
    return path


def _fetch(root: Path, say: Say) -> Path:
    """Download the newest sources; apt checks that Debian has signed them."""
    origin = apt_root.archives()
    for suite in SUITES:
        say(f"Looking for kernel sources in Debian {suite}")
        apt = root / suite
        try:
            apt_root.make(apt, [apt_root.source(origin.address, suite)])
        except LabError as error:  # a mirror may not have all suites
            say(f"{suite}: {error}")
            continue
        listed = PACKAGE.findall(
            apt_root.run(apt, "apt-cache", "-q", "search", "--names-only", "^linux-source-[0-9.]+$")
        )
        newest = max(((int(major), int(minor)) for major, minor in listed), default=(0, 0))
        if newest >= OLDEST:
            name = f"linux-source-{newest[0]}.{newest[1]}"
            say(f"Fetching {name}, 170 MB")
            apt_root.run(apt, "apt-get", "-q", "download", name)
            return next(apt.glob(f"{name}_*.deb"))
    raise LabError(
        f"No kernel sources from {OLDEST[0]}.{OLDEST[1]} on in {', '.join(SUITES)} of {origin.address}: "
        f"set {vm_cache.VARIABLE} to a folder with a kernel that was built elsewhere."
    )


def _unpack(package: Path, place: Path, say: Say) -> Path:
    say("Unpacking the sources, 10 to 30 seconds")
    place.mkdir()
    skipped = " ".join(f"--exclude='{pattern}'" for pattern in LEFT_OUT)
    pipe = (
        "set -o pipefail; dpkg-deb --fsys-tarfile \"$0\" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' "
        f'| xz -dc -T0 | tar -x -C "$1" --no-same-owner {skipped}'
    )
    commands.run("bash", "-c", pipe, str(package), str(place))
    package.unlink()
    return next(place.iterdir())


def _make(sources: Path, build: Path, fragment: Path, say: Say) -> None:
    """Configure and build; options that do not survive the first are an error."""
    build.mkdir()
    make = ["make", "-C", str(sources), f"O={build}", "ARCH=um"]
    commands.run(*make, "-s", f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
    wanted = [line for line in fragment.read_text().splitlines() if line.startswith("CONFIG_")]
    lost = set(wanted) - set((build / ".config").read_text().splitlines())
    if lost:
        raise LabError(f"These sources do not take the options {', '.join(sorted(lost))} of {fragment.name}.")
    say(f"Building the kernel on {os.cpu_count()} processors; two take 8 minutes if they are free, more if not")
    _follow([*make, f"-j{os.cpu_count()}", "linux", "modules"], build / "log", say)


def _follow(command: list[str], log: Path, say: Say) -> None:
    """Run a long build with its output in a log, and say now and then how far it is."""
    started, said = time.monotonic(), time.monotonic()
    with log.open("wb") as stream:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while child.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - said > REPORT_SECONDS:
                    said = time.monotonic()
                    share = min(99, 100 * log.read_bytes().count(b"\n") // STEPS)
                    say(f"  {share} % after {said - started:.0f} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"Building the kernel failed: `{' '.join(command)}`. The end of its output:\n{end}")


def _pack(sources: Path, place: Path) -> Path:
    """Put the program and its modules into a tar: linux.uml and lib."""
    stage, build, tar = place / "stage", place / "build", place / "kernel.tar"
    stage.mkdir()
    modules = ["modules_install", f"INSTALL_MOD_PATH={stage}", "INSTALL_MOD_STRIP=1"]
    commands.run("make", "-s", "-C", str(sources), f"O={build}", "ARCH=um", *modules)
    for link in stage.glob("lib/modules/*/build"):
        link.unlink()
    commands.run("strip", "-g", "-o", str(stage / "linux.uml"), str(build / "linux"))
    (stage / "linux.uml").chmod(0o755)
    commands.run("tar", "-C", str(stage), "--sort=name", "--owner=0", "--group=0", "-cf", str(tar), "linux.uml", "lib")
    return tar
