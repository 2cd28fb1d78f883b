# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether CNI plugins run on this host, and for which versions of the specification: by its command VERSION."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

_PATIENCE = 30  # seconds
_REASONS = {
    errno.ENOEXEC: "it is made for another architecture than {machine}",
    errno.ENOENT: "the loader that it names is missing here: it is made for another C library",
    errno.EACCES: "it may not be executed there",
}


def supported(path: str) -> list[str]:
    """Return the versions of the CNI specification that a plugin knows (section 3, VERSION); raises InvalidInput."""
    environment = {"CNI_COMMAND": "VERSION", "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
    try:
        answer = subprocess.run(
            [path], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _broken(path, f"it did not answer within {_PATIENCE} seconds") from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise _broken(path, reason.format(machine=os.uname().machine)) from error
    try:
        versions = json.loads(answer.stdout)["supportedVersions"]
        return [str(version) for version in versions]
    except (ValueError, KeyError, TypeError) as error:
        said = (answer.stderr or answer.stdout).decode(errors="replace").strip().splitlines()[:1]
        end = f"signal {-answer.returncode}" if answer.returncode < 0 else f"status {answer.returncode}"
        reason = f"asked for its version it ended with {end}" + (f" and said: {said[0][:200]}" if said else "")
        raise _broken(path, reason) from error


def refuse_unfit(folder: str, names: t.Iterable[str], required: t.Sequence[str], spec_version: str) -> None:
    """Raise InvalidInput unless the plugins of a folder run, and the required ones know a version of the specification.

    names: those that are there. spec_version: as "1.0.0"; empty asks for none.
    """
    present = sorted(names)
    missing = [name for name in required if name not in present]
    if missing:
        raise InvalidInput(
            f"use these plugins: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            remedy=f"There are {', '.join(present) or 'none'}: take an archive or a package that has all of the chain",
        )
    for name in present:
        versions = supported(os.path.join(folder, name))
        if spec_version and name in required and spec_version not in versions:
            raise InvalidInput(
                f"use the plugin {name}: it does not know version {spec_version} of the CNI specification, "
                f"but {', '.join(versions)}",
                remedy="Take newer plugins, or an older version as cni_spec_version",
            )


def refuse_folder(folder: str, required: t.Sequence[str], spec_version: str, *, remedy: str) -> None:
    """Raise InvalidInput unless a folder has the required plugins, they run, and know a version of the specification.

    remedy: what to do where some are missing.
    """
    missing = sorted(name for name in {*required} if not os.path.isfile(os.path.join(folder, name)))
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise InvalidInput(f"use the plugins in {folder}: {', '.join(missing)} {are} missing", remedy=remedy)
    refuse_unfit(folder, {*required}, required, spec_version)


def _broken(path: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"run the plugin {os.path.basename(path)}: {reason}", remedy="Take plugins that are made for this host"
    )
