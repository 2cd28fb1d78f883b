# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release archive of CNI plugins: which one is meant; fetching, verifying, unpacking it."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import re
import shutil
import sys
import tarfile
import tempfile
import typing as t
import urllib.parse
import zlib

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), "arm"),
    **{name: name for name in ("ppc64le", "s390x", "riscv64", "mips64le")},
}
"""How release archives name what the kernel calls its machine (uname -m)."""

_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without an answer
_PLUGIN = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


class Unusable(PodnetError):
    """The archive cannot be had, or the plugins cannot be put in place; nothing has been changed."""


class Source(t.NamedTuple):
    """Where an archive is, as a path on this host or a URL, and its sha256 as 64 hexadecimal digits."""

    path: str
    url: str
    sha256: str


def architecture(machine: str = "", order: str = sys.byteorder) -> str:
    """Return the release archives' name of a machine (as of uname -m; this one's if empty); raises InvalidInput."""
    machine = machine or os.uname().machine
    name = "mips64le" if (machine, order) == ("mips64", "little") else ARCHITECTURES.get(machine)
    if name is None:
        known = ", ".join(sorted({*ARCHITECTURES.values()}))
        raise InvalidInput(f"choose the plugins for {machine}: there are archives for {known}")
    return name


def checksum(given: t.Any, version: str, arch: str) -> str:
    """Return the sha256 that is meant for an architecture; given: a text, or texts by architecture.

    Raises InvalidInput if there is none for it, or if it is none.
    """
    text = given.get(arch, "") if isinstance(given, dict) else given
    if not text:
        raise InvalidInput(
            f"verify the archive of CNI plugins {version} for {arch}: no sha256 of it is known".replace("  ", " "),
            remedy="Give cni_plugins_sha256, from the project's page of that release, or choose a version of the table",
        )
    digits = str(text).strip().lower()
    digits = digits[7:] if digits.startswith("sha256:") else digits
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise InvalidInput(f'"{text}" is no sha256', remedy="Give its 64 hexadecimal digits")
    return digits


def address(template: str, version: str, arch: str) -> str:
    """Return a URL with version and architecture filled in; raises InvalidInput for what is no address of HTTP."""
    url = template.replace("{version}", version.lstrip("v")).replace("{arch}", arch)
    if not _is_http(url):
        raise InvalidInput(
            f'"{shown(url)}" is no address of an archive', remedy="Begin it with https://, or name a file as archive"
        )
    return url


def shown(url: str) -> str:
    """Return a URL without user and password, for messages; what is no URL as well."""
    parts = _parts(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _parts(url: str) -> urllib.parse.SplitResult:
    """Return the parts of a URL, also of one that urllib refuses, such as https://[::1."""
    try:
        return urllib.parse.urlsplit(url)
    except ValueError:
        scheme, __, rest = url.partition("://")
        place, slash, path = rest.partition("/")
        return urllib.parse.SplitResult(scheme, place, slash + path, "", "")


def _is_http(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # [::1 without its end, a port that is no number
        return False


def secrets(url: str) -> t.Iterator[str]:
    """Yield the password in a URL, as it is written and as it is meant; or what stands alone in a user's place."""
    userinfo = re.match(r"[^/?#]*//([^/?#]*)@", url)
    user, __, password = userinfo[1].partition(":") if userinfo else ("", "", "")
    for text in filter(None, [password or user]):
        yield from {text, urllib.parse.unquote(text)}


def digest(path: str) -> str:
    """Return the sha256 of a file's content as hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            found.update(chunk)
    return found.hexdigest()


@contextlib.contextmanager
def obtained(source: Source, folder: str) -> t.Iterator[str]:
    """Yield the path of the verified archive; a downloaded one is in a folder, and only during the body.

    Raises Unusable for what cannot be had, InvalidInput for another checksum.
    """
    if source.path:
        _verify(source.path, source.path, source.sha256)
        yield source.path
        return
    descriptor, path = tempfile.mkstemp(dir=folder, prefix="podnet-cni-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _download(source.url, file)
        _verify(path, shown(source.url), source.sha256)
        yield path
    finally:
        os.unlink(path)


def _verify(path: str, name: str, expected: str) -> None:
    try:
        found = digest(path)
    except OSError as error:
        raise Unusable(f"read the archive {name}: {error.strerror}", remedy="Correct the option archive") from error
    if found != expected:
        raise InvalidInput(
            f"use the archive {name}: its sha256 is {found}, and {expected} was expected",
            remedy="It is cut off, or not the one that is meant: fetch it again; if it is right, correct the checksum",
        )


def _download(url: str, file: t.BinaryIO) -> None:
    """Write what a URL gives to a file; proxies are those of the environment."""
    from ansible.module_utils.urls import open_url

    try:
        with open_url(url, timeout=_TIMEOUT) as answer:
            shutil.copyfileobj(answer, file, _CHUNK)
            length = answer.headers.get("Content-Length")
        file.flush()
        received = file.tell()
    except Exception as error:  # whatever urllib, http.client, ssl and the socket raise
        raise Unusable(
            f"download {shown(url)}: {error}",
            remedy="See that the host reaches it, or name a mirror as url, or a file as archive",
        ) from error
    if length is not None and received < int(length):
        raise Unusable(f"download {shown(url)}: it ended after {received} of {length} bytes", remedy="Run again")


def unpack(path: str, folder: str) -> dict[str, str]:
    """Write the plugins of an archive (tar, packed by gzip, bzip2 or xz) to a folder; return their sha256 by name.

    A plugin is a file that may be executed; other files are left out. Their folders do not count. Raises InvalidInput
    for an archive that is cut off or has links, devices or paths that lead out of it; OSError as files raise it.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = _name(path, member)
                if name in found:
                    raise _refused(path, f"{name} is in it twice")
                content = archive.extractfile(member) if name else None
                if content is not None:
                    found[name] = _write(content, os.path.join(folder, name), member.size)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # not what gzip and bzip2 say of their data
        reason = str(error).partition(":\n")[0]  # tarfile lists what each form of compression says
        raise InvalidInput(
            f"unpack {path}: it is cut off or no archive ({reason})",
            remedy="Fetch it again, and take its checksum anew",
        ) from error
    if not found:
        raise _refused(path, "no plugin is in it")
    return found


def _name(path: str, member: tarfile.TarInfo) -> str:
    """Return the name of the plugin that a member of an archive is, empty if it is none."""
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts:
        raise _refused(path, f"{member.name!r} leads out of it")
    if member.isdir():
        return ""
    if not member.isreg():
        kind = "a link" if member.issym() or member.islnk() else "a device or the like"
        raise _refused(path, f"{member.name!r} is {kind}")
    if not member.mode & 0o111:
        return ""
    if not _PLUGIN.fullmatch(parts[-1]):
        raise _refused(path, f"{member.name!r} is no name of a plugin")
    return parts[-1]


def _refused(path: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"unpack {path}: {reason}",
        remedy="Pack the plugins alone, with `tar --dereference --hard-dereference`",
    )


def _write(content: t.IO[bytes], path: str, size: int) -> str:
    """Write a plugin to the disk; return its sha256."""
    found = hashlib.sha256()
    written = 0
    with open(path, "xb") as file:
        for chunk in iter(lambda: content.read(_CHUNK), b""):
            found.update(chunk)
            written += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o755)
    if written != size:
        raise EOFError(f"{os.path.basename(path)} ends after {written} of {size} bytes")
    return found.hexdigest()
