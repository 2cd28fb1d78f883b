# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two files of a configuration: what is there, what shall be, and how one follows the other without a bad moment.

A candidate lies beside each file while BIRD tries it. A run that died may leave candidates; the next one removes them.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import re
import secrets
import tempfile
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.bird.daemon import check_config
from ansible_collections.podnet.calico.plugins.module_utils.bird.paths import CONFIG_PATH
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import INCLUDE, SECRETS, SECRETS_FILE
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change

SECRETS_PATH = os.path.join(os.path.dirname(CONFIG_PATH), SECRETS_FILE)
CANDIDATE = ".candidate"
"""What the name of a candidate has behind that of its file."""

_USER = "bird"
_DEFINE = re.compile(r'^define (\w+) = "(.*)";$', re.MULTILINE)


class Files(t.NamedTuple):
    """The texts of the main file and of the file of passwords; empty for a file that is not there."""

    main: str
    secrets: str

    @property
    def nonce(self) -> str:
        """Return which secrets these are, as the running BIRD can tell as well; empty for none."""
        return next((value for name, value in _DEFINE.findall(self.secrets) if name == SECRETS), "")

    @property
    def passwords(self) -> dict[str, str]:
        """Return the passwords by the names of their constants."""
        return {name: value for name, value in _DEFINE.findall(self.secrets) if name != SECRETS}


def read(suffix: str = "") -> Files:
    """Return what is there; raises Conflict for a file of somebody else."""
    return Files(owned_file.read(CONFIG_PATH + suffix), owned_file.read(SECRETS_PATH + suffix))


def wanted(main: str, make_secrets: t.Callable[[str], str], there: Files) -> Files:
    """Return what shall be: the file of passwords keeps its nonce if it has the same passwords.

    make_secrets: makes the text of the file of passwords from a nonce.
    """
    if INCLUDE not in main:
        return Files(main, "")
    kept = Files(main, make_secrets(there.nonce))
    if there.nonce and kept.passwords == there.passwords:
        return kept
    return Files(main, make_secrets(secrets.token_hex(16)))


def renewed(before: Files, after: Files) -> list[str]:
    """Return the constants of both whose passwords differ."""
    old, new = before.passwords, after.passwords
    return sorted(name for name in set(old) & set(new) if old[name] != new[name])


def changes(before: Files, after: Files) -> list[Change]:
    """Return the changes to the files; of passwords they show the names of constants alone."""
    found = []
    if before.main != after.main:
        found.append(Change("file", CONFIG_PATH, before.main or None, after.main or None))
    if before.secrets != after.secrets or (after.secrets and not _is_private(SECRETS_PATH)):
        old = {"constants": sorted(before.passwords)} if before.secrets else None
        new = {"constants": sorted(after.passwords), "renewed": renewed(before, after)} if after.secrets else None
        found.append(Change("secrets", SECRETS_PATH, old, new))
    return found


def _owner() -> tuple[int, int]:
    """Return the numbers of BIRD's user and group, which reads the passwords with each reconfiguration."""
    try:
        entry = pwd.getpwnam(_USER)
    except KeyError:
        return 0, 0
    return entry.pw_uid, entry.pw_gid


def _is_private(path: str) -> bool:
    found = os.stat(path)
    return found.st_mode & 0o7777 == 0o600 and (found.st_uid, found.st_gid) == _owner()


def check_only(files: Files) -> None:
    """Have BIRD parse the files to be, with other passwords, without leaving anything behind."""
    hidden = _DEFINE.sub(lambda found: f'define {found.group(1)} = "{SECRETS}";', files.secrets)
    with tempfile.TemporaryDirectory(prefix="podnet-bird-") as directory:
        for name, text in ((os.path.basename(CONFIG_PATH), files.main), (SECRETS_FILE, hidden)):
            with open(os.path.join(directory, name), "w") as file:
                file.write(text)
        check_config(os.path.join(directory, os.path.basename(CONFIG_PATH)))


def write_candidates(files: Files) -> str:
    """Write both files beside the real ones and have BIRD parse them; return the path of the main one."""
    if files.secrets:
        _write_secrets(files.secrets)
    text = files.main.replace(INCLUDE, f'include "{SECRETS_FILE}{CANDIDATE}";')
    owned_file.write(CONFIG_PATH + CANDIDATE, text, mode=0o640, group=_USER)
    check_config(CONFIG_PATH + CANDIDATE)
    return CONFIG_PATH + CANDIDATE


def _write_secrets(text: str) -> None:
    """Write the candidate of the passwords, readable by BIRD's user alone."""
    path = SECRETS_PATH + CANDIDATE
    owned_file.write(path, text, mode=0o600)
    os.chown(path, *_owner(), follow_symlinks=False)


def remove_candidates() -> None:
    """Remove what a run tried, and files that a run which was killed has not even finished."""
    for path in (CONFIG_PATH, SECRETS_PATH):
        _unlink(path + CANDIDATE)
    for path in glob.glob(os.path.join(os.path.dirname(CONFIG_PATH), f"{owned_file.UNFINISHED}*")):
        _unlink(path)


def put_in_place(before: Files, after: Files) -> None:
    """Replace the files one after the other; a BIRD that starts in between finds all constants that it needs."""
    gone = {name: value for name, value in before.passwords.items() if name not in after.passwords}
    if after.secrets:
        lines = [f'define {name} = "{value}";\n' for name, value in sorted(gone.items())]
        _put_secrets(after.secrets + "".join(lines))
    if before.main != after.main:
        owned_file.write(CONFIG_PATH, after.main, mode=0o640, group=_USER)
    if after.secrets and gone:
        _put_secrets(after.secrets)
    if not after.secrets:
        _unlink(SECRETS_PATH)


def _put_secrets(text: str) -> None:
    _write_secrets(text)
    os.replace(SECRETS_PATH + CANDIDATE, SECRETS_PATH)


def remove() -> None:
    """Remove all files of ours."""
    for path in (CONFIG_PATH, SECRETS_PATH):
        _unlink(path)
    remove_candidates()


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
