# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, by name: `nox -l` lists it, `nox -s test` runs it all (so does `make test`).

All sessions use the virtual environment that tests/lab/bootstrap.sh makes from the locked requirements.txt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
COLLECTIONS = ROOT / ".cache" / "collections"
# nox looks for programs where its own environment says, not where that of the program to run does.
os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["test"]

# What `test` runs, the quickest first, and beside them what mostly waits for machines that boot.
PARTS = ("lint", "units", "cloud", "kernel", "bgp", "lab", "molecule", "scenarios", "sanity")
BESIDE = "vm"
BESIDE_LOG = ROOT / ".cache" / "vm.log"
# What `test_all` runs beside these.
NIGHTLY = ("nightly",)
RUN_AGAIN = 3  # files with failed tests at most that a session runs once more
# Molecule scenarios with these prefixes run on virtual machines, for every change or once in a night.
VM_SCENARIOS = "vm-"
NIGHTLY_SCENARIOS = "nightly-"

# ansible-test does not judge these: programs that run on the machine of a developer, some with an interpreter of their
# own in the first line, and tests that need root. ruff sees them like everything else.
NOT_FOR_ANSIBLE_TEST = (
    "tests/benchmarks/",
    "tests/bgp/",
    "tests/cloud/",
    "tests/kernel/",
    "tests/lab/",
    "tests/scenarios/",
    "tests/vm/",
    "molecule/",
)

# ansible-test makes virtual environments without pip and fetches pip's installer from its own place; this does the same
# from Python's own copy of pip and the package index.
GET_PIP = """\
import subprocess, sys
args = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "--upgrade", *args])
if "--no-setuptools" in sys.argv:
    subprocess.call([sys.executable, "-m", "pip", "uninstall", "-q", "-y", "setuptools"])
"""


def _environment() -> dict[str, str]:
    collections = str(COLLECTIONS)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": collections,
        "MYPYPATH": collections,
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }


def _pytest(session: nox.Session, *paths: str, marked: str = "not nightly") -> None:
    """Run tests; a few files in which something failed run once more, and have to pass then.

    Two cores do the work of machines, daemons and Ansible at the same time, and kernels and daemons keep real time:
    what fails beside all that and not by itself is said in the log, and is worth a look.
    """
    cache = ROOT / ".cache" / "pytest" / session.name
    shutil.rmtree(cache, ignore_errors=True)
    command = ("pytest", "-q", "-m", marked, "-o", f"cache_dir={cache}")
    try:
        session.run(*command, *paths, *session.posargs, env=_environment())
    except CommandFailed:
        failed = cache / "v" / "cache" / "lastfailed"
        files = sorted({test.partition("::")[0] for test in json.loads(failed.read_text())}) if failed.exists() else []
        if not 0 < len(files) <= RUN_AGAIN:
            raise
        session.warn(f"Failed, and run once more: {', '.join(files)}")
        session.run(*command, *files, env=_environment())


@nox.session
def lint(session: nox.Session) -> None:
    """Static checks: ruff, mypy, shellcheck, ansible-lint with the production profile."""
    session.run("ruff", "format", "--check", ".", env=_environment())
    session.run("ruff", "check", ".", env=_environment())
    session.run("mypy", "-p", "ansible_collections.podnet.calico.plugins", env=_environment())
    session.run("shellcheck", "tests/lab/bootstrap.sh", "tests/lab/node-init.sh", ".ci/run", external=True)
    session.run("python", "tests/tools/role_readmes.py", "--check", env=_environment())
    session.run("ansible-lint", "--strict", env=_environment())


@nox.session
def units(session: nox.Session) -> None:
    """Tables of cases without root: models, datastore, planner, rendering."""
    _pytest(session, "tests/unit")


@nox.session
def cloud(session: nox.Session) -> None:
    """The modules and the role for clouds against imitations of clouds on loopback."""
    _pytest(session, "tests/cloud")


@nox.session
def kernel(session: nox.Session) -> None:
    """The modules that touch the kernel, in throw-away namespaces, with both supported lines of pyroute2 (root)."""
    _pytest(session, "tests/kernel")


@nox.session
def bgp(session: nox.Session) -> None:
    """BIRD as the modules configure it against FRR, GoBGP and a hostile ExaBGP, in throw-away namespaces (root)."""
    _pytest(session, "tests/bgp")


def _molecule(session: nox.Session, chosen: Callable[[str], bool], lab: str = "molecule") -> None:
    for scenario in filter(chosen, sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))):
        environment = _environment() | {"MOLECULE_GLOB": "molecule/*/molecule.yml", "PODNET_LAB_NAME": lab}
        session.run("molecule", "test", "-s", scenario, env=environment)


@nox.session
def lab(session: nox.Session) -> None:
    """The lab itself, with nodes that are namespaces (root)."""
    _pytest(session, "tests/lab", "--ignore=tests/lab/test_vm.py")


@nox.session
def molecule(session: nox.Session) -> None:
    """The Molecule scenarios: VXLAN, None and VXLANCrossSubnet on lab nodes (root)."""
    _molecule(session, lambda name: not name.startswith((VM_SCENARIOS, NIGHTLY_SCENARIOS)))


@nox.session
def scenarios(session: nox.Session) -> None:
    """Whole stories on lab nodes: check mode, bad input, reset, SSH, ansible-runner, CNI plugins (root)."""
    _pytest(session, "tests/scenarios")


@nox.session
def vm(session: nox.Session) -> None:
    """Lab nodes that are virtual machines: the lab itself, IPIP, reboots and power cuts, the scenarios vm-* (root)."""
    _pytest(session, "tests/lab/test_vm.py", *map(str, sorted(ROOT.glob("tests/vm/test_*.py"))))
    _molecule(session, lambda name: name.startswith(VM_SCENARIOS), lab="moleculevm")


@nox.session
def nightly(session: nox.Session) -> None:
    """What takes too long for every change: tests that are marked so, and the Molecule scenarios nightly-* (root)."""
    _pytest(session, "tests/scenarios", "tests/vm", marked="nightly")
    _molecule(session, lambda name: name.startswith(NIGHTLY_SCENARIOS))


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity and units, on a copy of what git knows, where ansible-test wants to find it."""
    copy = ROOT / ".cache" / "sanity" / "ansible_collections" / "podnet" / "calico"
    shutil.rmtree(copy, ignore_errors=True)
    files = session.run("git", "ls-files", "-co", "--exclude-standard", external=True, silent=True)
    for name in str(files).splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    # ansible-test asks git for the files; of this repository, the copy is an ignored folder without any.
    session.run("git", "init", "--quiet", str(copy), external=True)
    _provide_pip()
    version = session.run(
        "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])", silent=True, env=_environment()
    )
    python = ("--python", str(version).strip())
    with session.chdir(copy):
        skipped = [f"--exclude={path}" for path in NOT_FOR_ANSIBLE_TEST if (copy / path).exists()]
        session.run("ansible-test", "sanity", *skipped, *python, "--color", "no", env=_ansible_test())
        session.run("ansible-test", "units", *python, "--color", "no", env=_ansible_test())


def _ansible_test() -> dict[str, str]:
    environment = _environment()
    return {"PATH": environment["PATH"], "PYTHONPATH": "", "ANSIBLE_COLLECTIONS_PATH": "", "ANSIBLE_CONFIG": ""}


def _provide_pip() -> None:
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in ("24_2", "25_2"):
        path = cache / f"get_pip_{version}.py"
        if not path.exists():
            path.write_text(GET_PIP)


_beside: list[subprocess.Popen[bytes]] = []


@nox.session
def test(session: nox.Session) -> None:
    """Everything that continuous integration runs."""
    _run_all(session, PARTS)


@nox.session
def test_all(session: nox.Session) -> None:
    """Everything, with what continuous integration runs once in a night."""
    _run_all(session, PARTS, NIGHTLY)


def _run_all(session: nox.Session, parts: tuple[str, ...], later: tuple[str, ...] = ()) -> None:
    """Start BESIDE with its output in a file, have the other parts follow, then its end, then what needs quiet."""
    session.log(f"{BESIDE} runs beside the others; its output comes when they have ended, and stands in {BESIDE_LOG}")
    with BESIDE_LOG.open("wb") as log:
        command = [sys.executable, "-m", "nox", "-s", BESIDE]
        _beside.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    for part in (*parts, "beside", *later):
        session.notify(part)


@nox.session
def beside(session: nox.Session) -> None:
    """Wait for what `test` has started beside the others, and show what it said."""
    for process in _beside:
        status = process.wait()
        sys.stdout.write(BESIDE_LOG.read_text(errors="replace"))
        sys.stdout.flush()
        if status:
            session.error(f"{BESIDE} failed")
