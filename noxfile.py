# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, by name: `nox -l` lists it, `nox -s test` runs it all (so does `make test`).

All sessions use the virtual environment that tests/lab/bootstrap.sh makes from the locked requirements.txt.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
COLLECTIONS = ROOT / ".cache" / "collections"
# nox looks for programs where its own environment says, not where that of the program to run does.
os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["test"]

# What `test` runs, AT_ONCE at the same time, the longest first: machines boot and BIRD's timers run while Ansible
# computes.
# A third session makes two cores slower: under their load a deployment takes a third more of processor time.
PARTS = ("scenarios", "vm", "kernel", "molecule", "cloud", "sanity", "lint", "lab", "units", "bgp")
AT_ONCE = 2
# What `test_all` runs besides.
NIGHTLY = ("nightly_scenarios", "nightly", "nightly_vm", "nightly_molecule", "ansible_test_units", "mutants")
NIGHTLY_SCENARIOS = "nightly-"  # what the names of Molecule scenarios begin with that run once in a night

# ansible-test does not judge these: programs that run on the machine of a developer, some with an interpreter of their
# own in the first line, and tests that need root. ruff sees them like everything else.
NOT_FOR_ANSIBLE_TEST = (
    "tests/benchmarks/",
    "tests/bgp/",
    "tests/cloud/",
    "tests/kernel/",
    "tests/lab/",
    "tests/mutants/",
    "tests/scenarios/",
    "tests/vm/",
    "molecule/",
    "findings/",
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
        "PYTHONDONTWRITEBYTECODE": "",  # each of a thousand processes would compile the same sources
        "MYPYPATH": collections,
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }


def _pytest(session: nox.Session, *paths: str, marked: str = "not nightly", workers: int = 0) -> None:
    """Run tests, by file on several workers if asked; the session's arguments replace the paths if they name one."""
    results = ROOT / ".cache" / "results" / f"{session.name}.xml"
    command = ["pytest", "-q", "-m", marked, "-p", "no:cacheprovider", f"--junitxml={results}"]
    command += ["-n", str(workers), "--dist", "loadfile"] if workers else []
    if not any((ROOT / argument.partition("::")[0]).exists() for argument in session.posargs):
        command += paths
    # pytest exits with 5 where the arguments select no test of this session.
    codes = [0, 5] if session.posargs else [0]
    session.run(*command, *session.posargs, env=_environment(), success_codes=codes)


@nox.session
def lint(session: nox.Session) -> None:
    """Static checks: ruff, mypy, shellcheck, ansible-lint with the production profile."""
    session.run("ruff", "format", "--check", ".", env=_environment())
    session.run("ruff", "check", ".", env=_environment())
    session.run("mypy", "-p", "ansible_collections.podnet.calico.plugins", env=_environment())
    session.run("shellcheck", "tests/lab/bootstrap.sh", "tests/lab/node-init.sh", ".ci/run", external=True)
    session.run("python", "tests/tools/role_readmes.py", "--check", env=_environment())
    # An installed copy of the collection in somebody's home would be asked for the modules' options.
    home = {"ANSIBLE_HOME": str(ROOT / ".cache" / "ansible")}
    session.run("ansible-lint", "--strict", env=_environment() | home)


@nox.session
def units(session: nox.Session) -> None:
    """Tables of cases without root: models, datastore, planner, rendering."""
    _pytest(session, "tests/unit", workers=2)


@nox.session
def cloud(session: nox.Session) -> None:
    """The modules and the role for clouds against imitations of clouds on loopback."""
    _pytest(session, "tests/cloud", workers=2)


@nox.session
def kernel(session: nox.Session) -> None:
    """The modules that touch the kernel, in throw-away namespaces (root)."""
    _pytest(session, "tests/kernel", workers=3)


@nox.session
def bgp(session: nox.Session) -> None:
    """BIRD as the modules configure it against FRR, GoBGP and a hostile ExaBGP, in throw-away namespaces (root)."""
    _pytest(session, "tests/bgp", workers=3)


def _molecule(session: nox.Session, *, at_night: bool) -> None:
    for scenario in sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")):
        if scenario.startswith(NIGHTLY_SCENARIOS) == at_night:
            environment = {
                "MOLECULE_GLOB": "molecule/*/molecule.yml",
                "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".cache" / "molecule" / scenario),
                "PODNET_LAB_NAME": "molecule",
            }
            session.run("molecule", "test", "-s", scenario, env=_environment() | environment)


@nox.session
def lab(session: nox.Session) -> None:
    """The lab itself, with nodes that are namespaces (root)."""
    _pytest(session, "tests/lab", workers=2)


@nox.session
def molecule(session: nox.Session) -> None:
    """The Molecule scenario crosssubnet on lab nodes: check mode, idempotence, testinfra (root)."""
    _molecule(session, at_night=False)


@nox.session
def scenarios(session: nox.Session) -> None:
    """Whole stories on lab nodes: check mode, bad input, reset, SSH, ansible-runner, CNI plugins (root)."""
    _pytest(session, "tests/scenarios", workers=2)


@nox.session
def vm(session: nox.Session) -> None:
    """Lab nodes that are virtual machines: IPIP on the wire, a reboot, a power cut, reset (root)."""
    _pytest(session, "tests/vm")


@nox.session
def nightly(session: nox.Session) -> None:
    """Unit and kernel tests, and those of BGP, that are marked `nightly` (root)."""
    _pytest(session, "tests/unit", "tests/kernel", "tests/bgp", marked="nightly", workers=2)


# By itself: one process of pytest may not have labs, and a /run of its own in which nothing may be left of any.
@nox.session
def nightly_scenarios(session: nox.Session) -> None:
    """Whole stories that are marked `nightly` (root)."""
    _pytest(session, "tests/scenarios", marked="nightly", workers=2)


@nox.session
def nightly_vm(session: nox.Session) -> None:
    """Tests of virtual machines that are marked `nightly` (root)."""
    _pytest(session, "tests/vm", marked="nightly")


@nox.session
def nightly_molecule(session: nox.Session) -> None:
    """The Molecule scenarios nightly-* (root)."""
    _molecule(session, at_night=True)


@nox.session
def mutants(session: nox.Session) -> None:
    """Small changes to the product, applied one by one to a copy: unit and kernel tests have to notice each (root)."""
    program = "ansible_collections.podnet.calico.tests.mutants.run"
    # A mutant can have the size and the second of the file before: bytecode of that would be taken for its own.
    # Options are for pytest in the other sessions, and names for this one.
    names = [] if any(argument.startswith("-") for argument in session.posargs) else session.posargs
    session.run("python", "-m", program, *names, env=_environment() | {"PYTHONDONTWRITEBYTECODE": "1"})


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity, on a copy of what git knows, where ansible-test wants to find it."""
    copy = _copy_for_ansible_test(session)
    with session.chdir(copy):
        skipped = [f"--exclude={path}" for path in NOT_FOR_ANSIBLE_TEST if (copy / path).exists()]
        session.run("ansible-test", "sanity", *skipped, *_python(session), "--color", "no", env=_ansible_test())


@nox.session
def ansible_test_units(session: nox.Session) -> None:
    """The unit tests once more, as ansible-test runs them."""
    with session.chdir(_copy_for_ansible_test(session)):
        session.run("ansible-test", "units", *_python(session), "--color", "no", env=_ansible_test())


def _copy_for_ansible_test(session: nox.Session) -> Path:
    copy = ROOT / ".cache" / session.name / "ansible_collections" / "podnet" / "calico"
    shutil.rmtree(copy, ignore_errors=True)
    files = session.run("git", "ls-files", "-co", "--exclude-standard", external=True, silent=True)
    for name in str(files).splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    # ansible-test asks git for the files; of this repository, the copy is an ignored folder without any.
    session.run("git", "init", "--quiet", str(copy), external=True)
    _provide_pip()
    return copy


def _python(session: nox.Session) -> tuple[str, str]:
    version = session.run(
        "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])", silent=True, env=_environment()
    )
    return "--python", str(version).strip()


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


@nox.session
def test(session: nox.Session) -> None:
    """Everything that continuous integration runs."""
    _conduct(session, *PARTS)


@nox.session
def test_all(session: nox.Session) -> None:
    """Everything, with what runs once in a night."""
    _conduct(session, *PARTS, *NIGHTLY)


def _conduct(session: nox.Session, *parts: str) -> None:
    arguments = ("--", *session.posargs) if session.posargs else ()
    session.run("python", "tests/tools/conductor.py", str(AT_ONCE), *parts, *arguments, env=_environment())
