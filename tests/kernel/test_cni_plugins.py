# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_cni_plugins with real plugins, archives that a server on loopback gives, and disks that refuse."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.tools import cni_plugins

CHAIN = ["ptp", "host-local", "portmap", "bandwidth"]
RECORD = ".podnet-calico.json"
TAKEN = {"bandwidth", "host-local", "loopback", "portmap", "ptp", "tap", "tuning"}  # enough for what is tried here


@dataclasses.dataclass
class Release:
    """An archive of real plugins."""

    version: str
    path: Path
    sha256: str
    plugins: Path

    def options(self, **more: t.Any) -> Result:
        """Return the module's options for it."""
        options = {"archive": str(self.path), "version": self.version, "sha256": self.sha256, "required": CHAIN}
        return {key: value for key, value in {**options, **more}.items() if value is not None}

    def names(self) -> set[str]:
        """Return the names of its plugins."""
        return TAKEN & {path.name for path in self.plugins.iterdir()}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """Return a directory for archives."""
    path = tmp_path_factory.mktemp("releases")
    yield path
    shutil.rmtree(path)


def _release(folder: Path, plugins: Path, names: t.Container[str] = TAKEN) -> Release:
    version = cni_plugins.version(plugins)
    path = folder / f"cni-plugins-linux-amd64-v{version}.tgz"
    return Release(version, path, cni_plugins.pack(plugins, path, names), plugins)


@pytest.fixture(scope="module")
def older(releases: Path) -> Release:
    """Return the installed plugins as a release."""
    return _release(releases, cni_plugins.INSTALLED)


@pytest.fixture(scope="module")
def newer(releases: Path) -> Release:
    """Return Debian unstable's plugins as a release."""
    try:
        return _release(releases, cni_plugins.newer())
    except cni_plugins.Unavailable as error:
        if not error.tried:
            cni_plugins.fetch()
        try:
            return _release(releases, cni_plugins.newer())
        except cni_plugins.Unavailable as still:
            pytest.skip(str(still))


@pytest.fixture
def bin_dir(tmp_path: Path) -> t.Iterator[Path]:
    """Return a directory for plugins, which is not there, in memory."""
    with _mounted(tmp_path / "disk", "size=300m"):
        yield tmp_path / "disk" / "opt" / "cni" / "bin"


Run = t.Callable[..., Result]


@pytest.fixture
def run(modules: Modules, bin_dir: Path) -> Run:
    """Return a function that runs the module on that directory."""

    def run(options: Result, *, check: bool = False) -> Result:
        return modules.run(None, "calico_cni_plugins", {"bin_dir": str(bin_dir), **options}, check=check)

    return run


@pytest.fixture
def converge(run: Run) -> Run:
    """Return a function that runs the module as it has to be: check mode predicts it, a second run is unchanged."""

    def converge(options: Result) -> Result:
        predicted = run(options, check=True)
        done = run(options)
        assert not done.get("failed"), done
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        assert run(options)["changed"] is False
        return done

    return converge


@pytest.fixture
def refuse(run: Run, bin_dir: Path) -> Run:
    """Return a function that has the module refuse, in check mode and really, with nothing changed."""

    def refuse(options: Result, *, alike: bool = True) -> str:
        before = _tree(bin_dir.parents[2])
        predicted = run(options, check=True)
        assert predicted.get("failed") or not alike
        failed = run(options)
        assert failed.get("failed"), failed
        assert predicted["msg"] == failed["msg"] or not alike
        assert _tree(bin_dir.parents[2]) == before
        return str(failed["msg"])

    return refuse


def _tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every path below a directory with mode and a digest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (stat.S_IMODE(path.lstat().st_mode), hashlib.sha256(content).digest())
    return found


def _same(folder: Path, release: Release) -> bool:
    there = {path.name for path in folder.iterdir()} - {RECORD}
    return there == release.names() and all(
        (folder / name).read_bytes() == (release.plugins / name).read_bytes() for name in there
    )


def test_upgrade_downgrade_and_removal(converge: Run, run: Run, bin_dir: Path, older: Release, newer: Release) -> None:
    done = converge(older.options(spec_version="1.0.0"))
    assert done["summary"] == {"create": len(older.names()) + 1, "replace": 0, "delete": 0}
    assert (done["version"], done["in_place"], done["arch"]) == (older.version, True, "amd64")
    assert _same(bin_dir, older)
    assert {stat.S_IMODE((bin_dir / name).stat().st_mode) for name in older.names()} == {0o755}
    record = json.loads((bin_dir / RECORD).read_text())
    assert (record["version"], record["archive"]) == (older.version, older.sha256)
    done = converge(newer.options(spec_version="1.1.0"))
    assert done["summary"]["create"] == len(newer.names() - older.names())
    assert _same(bin_dir, newer)
    done = converge(older.options())
    assert done["summary"]["delete"] == len(newer.names() - older.names())
    assert _same(bin_dir, older)
    converge({"state": "absent"})
    assert not bin_dir.parents[1].exists()


def test_nothing_is_fetched_while_it_fits(run: Run, older: Release) -> None:
    run(older.options())
    gone = older.options(archive="/nowhere/cni.tgz")
    assert run(gone)["changed"] is False
    assert run({**gone, "version": "9.9.9"})["msg"].startswith("read the archive /nowhere/cni.tgz: No such file")
    inspected = run({"sha256": {"amd64": older.sha256}, "version": older.version, "state": "inspected"})
    assert inspected["in_place"] is True
    assert run({"sha256": older.sha256, "version": "9.9.9", "state": "inspected"})["in_place"] is False


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files; the path /cut/… is cut off in the middle."""

    def do_GET(self) -> None:
        """Serve a file."""
        if not self.path.startswith("/cut/"):
            super().do_GET()
            return
        content = Path(self.translate_path(self.path.replace("/cut/", "/"))).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(releases: Path) -> t.Iterator[str]:
    """Return the address of a server on loopback that has the archives."""
    handler = functools.partial(_Quiet, directory=str(releases))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()


NAME = "cni-plugins-linux-{arch}-v{version}.tgz"


def test_an_archive_from_a_server(converge: Run, bin_dir: Path, older: Release, server: str) -> None:
    sums = {"amd64": older.sha256, "arm64": "0" * 64}
    done = converge(older.options(archive=None, url=f"http://{server}/{NAME}", sha256=sums))
    assert (done["changed"], _same(bin_dir, older)) == (True, True)


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("http://user:secret@SERVER/cut/" + NAME, {}, "it ended after"),
        ("http://user:secret@SERVER/missing.tgz", {}, "HTTP Error 404"),
        ("http://user:secret@127.0.0.1:1/" + NAME, {}, "Connection refused"),
        ("http://user:secret@SERVER/" + NAME, {"sha256": "0" * 64}, f"and {'0' * 64} was expected. It is cut off, or"),
        ("http://user:secret@SERVER/" + NAME, {"sha256": {"arm64": "0" * 64}}, "for amd64: no sha256 of it is known"),
        ("http://user:secret@SERVER/" + NAME, {"sha256": ""}, "Give cni_plugins_sha256"),
    ],
)
def test_servers_that_do_not_give_it(
    refuse: Run, older: Release, server: str, address: str, options: Result, message: str
) -> None:
    said = refuse(older.options(archive=None, url=address.replace("SERVER", server), **options))
    assert message in said
    assert "secret" not in said


def _packed(path: Path, files: dict[str, bytes]) -> Result:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return {"archive": str(path), "version": "7", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _other_machine(plugin: bytes) -> bytes:
    """Return an ELF program as if it were made for s390 (e_machine 22)."""
    return plugin[:18] + (22).to_bytes(2, "little") + plugin[20:]


LOADER = b"/lib64/ld-linux-x86-64.so.2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plugin: {"ptp": _other_machine(plugin)}, "run the plugin ptp: it is made for another architecture"),
        (lambda plugin: {"ptp": plugin.replace(LOADER, LOADER[:-1] + b"9")}, "the loader that it names is missing"),
        (lambda plugin: {"ptp": plugin[: len(plugin) // 2]}, "run the plugin ptp: "),
        (lambda plugin: {"ptp": b"#!/bin/sh\necho out of order >&2; exit 3\n"}, "status 3 and said: out of order"),
        (lambda plugin: {"ptp": b"#!/bin/sh\necho '[]'\n"}, "run the plugin ptp: asked for its version"),
        (lambda plugin: {"host-local": plugin}, "use these plugins: ptp is missing. There are host-local"),
    ],
)
def test_plugins_that_will_not_do(
    refuse: Run, tmp_path: Path, change: t.Callable[[bytes], dict[str, bytes]], message: str
) -> None:
    options = _packed(tmp_path / "cni.tgz", change((cni_plugins.INSTALLED / "ptp").read_bytes()))
    assert message in refuse({**options, "required": ["ptp"]})


def test_a_version_of_the_specification_that_they_do_not_know(
    refuse: Run, run: Run, older: Release, newer: Release
) -> None:
    said = refuse(older.options(spec_version="1.1.0"))
    assert "does not know version 1.1.0 of the CNI specification, but 0.3.0, 0.3.1" in said
    run(older.options())
    assert "does not know version 1.1.0" in refuse(older.options(spec_version="1.1.0"))
    assert not run(newer.options(spec_version="1.1.0")).get("failed")


def test_an_archive_that_is_cut_off(refuse: Run, tmp_path: Path, older: Release) -> None:
    path = tmp_path / "cut.tgz"
    path.write_bytes(older.path.read_bytes()[: older.path.stat().st_size // 2])
    assert "its sha256 is" in refuse(older.options(archive=str(path)))
    own = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "it is cut off or no archive" in refuse(older.options(archive=str(path), sha256=own))


def test_plugins_are_found_where_the_host_has_them(run: Run, modules: Modules, tmp_path: Path) -> None:
    options = {"bin_dir": "", "required": CHAIN, "spec_version": "1.0.0"}
    assert run(options)["bin_dir"] == str(cni_plugins.INSTALLED)
    (tmp_path / "ptp").write_text("")
    refused = modules.run(None, "calico_cni_plugins", options, binds={str(cni_plugins.INSTALLED): str(tmp_path)})
    assert f"in {cni_plugins.INSTALLED}: bandwidth, host-local, portmap are missing" in refused["msg"]
    assert run({"bin_dir": "", "state": "absent"}, check=True)["bin_dir"] == "/opt/cni/bin"


def test_plugins_of_others(refuse: Run, converge: Run, bin_dir: Path, older: Release, newer: Release) -> None:
    bin_dir.mkdir(parents=True)
    for name in ("ptp", "portmap"):
        shutil.copy(newer.plugins / name, bin_dir / name)
    shutil.copy(older.plugins / "tuning", bin_dir / "tuning")
    (bin_dir / "own").write_text("#!/bin/sh\n")
    before = _tree(bin_dir)
    said = refuse(older.options())
    assert "other ones of somebody else are there: portmap, ptp. Set cni_plugins_take_over" in said
    converge(older.options(take_over=True))
    assert (bin_dir / "ptp.podnet-moved").read_bytes() == (newer.plugins / "ptp").read_bytes()
    converge({"state": "absent"})
    assert _tree(bin_dir) == before


def test_plugins_that_somebody_else_looks_after(run: Run, older: Release) -> None:
    options = {"bin_dir": "/usr/lib/cni", "required": CHAIN, "spec_version": "1.0.0"}
    assert run(options)["changed"] is False
    assert "tap is missing" in run({**options, "required": ["tap"]})["msg"]
    assert "does not know version 1.1.0" in run({**options, "spec_version": "1.1.0"})["msg"]


@contextlib.contextmanager
def _mounted(path: Path, options: str) -> t.Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "podnet-test", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("at", ["bin", "above"])
def test_a_disk_that_is_read_only(refuse: Run, bin_dir: Path, older: Release, at: str) -> None:
    with _mounted(bin_dir if at == "bin" else bin_dir.parent, "ro"):
        assert "cannot be written to. Make room there, or make it writable" in refuse(older.options())


def test_what_is_no_directory(refuse: Run, bin_dir: Path, older: Release) -> None:
    bin_dir.parent.mkdir(parents=True)
    bin_dir.write_text("")
    assert "is no directory" in refuse(older.options())


def test_a_disk_without_permission_to_execute(refuse: Run, bin_dir: Path, older: Release) -> None:
    with _mounted(bin_dir, "noexec"):
        assert "its file system is mounted with noexec" in refuse(older.options())


@pytest.mark.parametrize("mebibytes", [1, 7, 14])
def test_a_disk_that_is_full_in_the_middle(
    refuse: Run, run: Run, bin_dir: Path, older: Release, mebibytes: int
) -> None:
    with _mounted(bin_dir, f"size={mebibytes}m"):
        said = refuse(older.options(), alike=False)
        assert said.startswith(f"put plugins into {bin_dir}: ")
        assert os.strerror(errno.ENOSPC) in said
        assert " are free. Make room there" in run(older.options(), check=True)["msg"]


def test_a_disk_that_is_full_during_an_upgrade(
    refuse: Run, run: Run, bin_dir: Path, older: Release, newer: Release
) -> None:
    """The old plugins and the new ones do not fit beside each other."""
    with _mounted(bin_dir, "size=34m"):
        assert not run(older.options()).get("failed")
        assert os.strerror(errno.ENOSPC) in refuse(newer.options(), alike=False)
        assert _same(bin_dir, older)
        assert run(older.options())["changed"] is False


def test_a_run_that_was_killed(run: Run, bin_dir: Path, older: Release, newer: Release) -> None:
    run(older.options())
    (bin_dir / ".podnet-ab12cd_3").mkdir()
    (bin_dir / ".podnet-ab12cd_3" / "ptp").write_text("half")
    record = json.loads((bin_dir / RECORD).read_text())
    new = {name: hashlib.sha256((newer.plugins / name).read_bytes()).hexdigest() for name in newer.names()}
    (bin_dir / RECORD).write_text(json.dumps({**record, "pending": new}))
    for name in ("ptp", "tap"):
        shutil.copy(newer.plugins / name, bin_dir / name)
    run(older.options())
    assert _same(bin_dir, older)


LOOP = """
import json, os, subprocess, sys
folder, namespace = sys.argv[1:]
config = {"cniVersion": "1.0.0", "name": "loop", "type": "ptp", "ipam": {
    "type": "host-local", "dataDir": "/run/" + namespace, "ranges": [[{"subnet": "10.99.0.0/24"}]]}}
done = bad = 0
def call(command):
    global done, bad
    environment = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c", "CNI_NETNS": "/run/netns/" + namespace,
        "CNI_IFNAME": "eth0", "CNI_PATH": folder, "PATH": os.environ["PATH"]}
    try:
        answer = subprocess.run([folder + "/ptp"], input=json.dumps(config), env=environment, capture_output=True,
            text=True)
        wrong = answer.returncode and (answer.stdout or answer.stderr)
    except OSError as error:
        wrong = str(error)
    done += 1
    if wrong:
        bad += 1
        print("failed", command, wrong, flush=True)
print("started", flush=True)
while not os.path.exists(folder + "/../stop"):
    for command in ("VERSION", "ADD", "DEL"):
        call(command)
print(json.dumps({"done": done, "bad": bad}), flush=True)
"""


@pytest.mark.parametrize("changes", [6, pytest.param(40, marks=pytest.mark.nightly)])
def test_a_runtime_never_sees_a_missing_or_broken_plugin(
    run: Run,
    bin_dir: Path,
    older: Release,
    newer: Release,
    new_namespace: t.Callable[[str], Namespace],
    tmp_path: Path,
    changes: int,
) -> None:
    """ptp and host-local are called without pause, on a host of their own, while their version is changed."""
    host, pod = new_namespace("host"), new_namespace("pod")
    small = [_release(tmp_path, each.plugins, {"ptp", "host-local"}) for each in (newer, older)]
    assert not run(small[1].options(required=["ptp"])).get("failed")
    command = ["nsenter", f"--net={host.path}", sys.executable, "-c", LOOP, str(bin_dir), pod.name]
    loop = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert loop.stdout is not None
    try:
        assert loop.stdout.readline() == "started\n"
        for release in small * (changes // 2):
            assert run(release.options(required=["ptp"]))["changed"] is True
    finally:
        (bin_dir.parent / "stop").touch()
        said = loop.communicate(timeout=120)[0]
        shutil.rmtree(Path("/run", pod.name), ignore_errors=True)
    counted = json.loads(said.splitlines()[-1])
    print(counted)
    assert counted["bad"] == 0, said
    assert counted["done"] > 3 * changes
