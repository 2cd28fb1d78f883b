# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container runtime's network as files: what is written, who may read it, and what happens to files of others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.tools import cni_plugins

if t.TYPE_CHECKING:
    from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
    from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result

OURS, ACCESS = "10-podnet-calico.conflist", "podnet-calico-kubeconfig"
OTHER = '{"cniVersion": "1.0.0", "name": "other", "plugins": [{"type": "bridge"}]}\n'
RANGES = ["10.244.0.0/26"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the folder of the networks, which is not there yet."""
    return tmp_path / "cni" / "net.d"


@pytest.fixture
def describe(converge: RunModule, place: Path) -> t.Callable[..., Result]:
    """Return a function that runs the module as it has to be, with these options."""

    def run(**options: t.Any) -> Result:
        return t.cast("Result", converge("calico_cni_config", {**given(place), **options}))

    return run


def given(place: Path) -> Result:
    return {"config_dir": str(place), "ranges": RANGES, "mtu": 1450, "node": "node1"}


def content(place: Path) -> Result:
    return t.cast("Result", json.loads((place / OURS).read_text()))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def done(result: Result) -> list[str]:
    return [f"{each['action']} {each['kind']} {os.path.basename(each['name'])}" for each in result["changes"]]


def test_a_list_that_comes_changes_and_goes(describe: t.Callable[..., Result], place: Path) -> None:
    assert done(describe()) == [f"create network {OURS}"]
    assert mode(place / OURS) == 0o644
    assert os.listdir(place) == [OURS]
    shrunk = describe(mtu=1400, at_most=True)
    assert (done(shrunk), content(place)["plugins"][0]["mtu"]) == ([f"replace network {OURS}"], 1400)
    assert '-      "mtu": 1450' not in str(shrunk["diff"]), "before and after are whole texts"
    assert describe(mtu=1450, at_most=True)["changed"] is False
    (place / OURS).chmod(0o600)
    assert done(describe(mtu=1400)) == [f"replace mode {OURS}"]
    assert describe(mtu=1450, ranges=[])["changed"] is False
    assert done(describe(state="absent")) == [f"delete network {OURS}"]
    assert os.listdir(place) == []
    assert describe(at_most=True)["changed"] is False
    assert os.listdir(place) == []


def test_networks_of_others_are_warned_of_or_moved_and_put_back(
    describe: t.Callable[..., Result], run_module: RunModule, place: Path
) -> None:
    place.mkdir(parents=True)
    others = {"05-other.conflist": OTHER, "00-broken.conf": "{", "20-last.conflist": OTHER}
    for name, text in others.items():
        (place / name).write_text(text)
    found = describe()
    assert [os.path.basename(text.split()[0]) for text in found["rivals"]] == ["00-broken.conf", "05-other.conflist"]
    assert len(found["warnings"]) == 2
    assert "is not JSON" in str(found["warnings"][0])
    moved = describe(exclusive=True)
    assert done(moved) == ["replace network 00-broken.conf", "replace network 05-other.conflist"]
    assert (moved["rivals"], sorted(os.listdir(place))[:2]) == (
        [],
        ["00-broken.conf.podnet-moved", "05-other.conflist.podnet-moved"],
    )
    (place / "05-other.conflist").write_text(OTHER)  # somebody makes it anew
    refused = run_module("calico_cni_config", {**given(place), "exclusive": True})
    assert "05-other.conflist.podnet-moved is there already" in refused["msg"]
    result = run_module("calico_cni_config", {"config_dir": str(place), "state": "absent"})
    assert result["kept"] == [str(place / "05-other.conflist.podnet-moved")]
    assert "is not put back" in str(result["warnings"][0])
    (place / "05-other.conflist").unlink()
    describe(state="absent")
    assert {name: (place / name).read_text() for name in os.listdir(place)} == others


def test_a_token_is_rotated_without_being_shown(
    describe: t.Callable[..., Result], run_module: RunModule, place: Path
) -> None:
    api = {"server": "https://192.0.2.1:6443", "certificate_authority": None}
    first = describe(chain="calico", kubeconfig={**api, "token": "first-token"})
    assert done(first) == [f"create kubeconfig {ACCESS}", f"create network {OURS}"]
    assert (mode(place / ACCESS), mode(place / OURS)) == (0o600, 0o600)
    assert 'token: "first-token"' in (place / ACCESS).read_text()
    assert content(place)["plugins"][0]["kubernetes"] == {"kubeconfig": str(place / ACCESS)}
    assert content(place)["plugins"][0]["nodename"] == "node1"
    second = describe(chain="calico", kubeconfig={**api, "token": "second-token"})
    assert done(second) == [f"replace kubeconfig {ACCESS}"]
    assert "(hidden, a new one)" in second["diff"]["after"]
    assert 'token: "second-token"' in (place / ACCESS).read_text()
    (place / ACCESS).chmod(0o644)
    third = describe(chain="calico", kubeconfig={**api, "token": "second-token"})
    assert done(third) == [f"replace mode {ACCESS}"]
    for result in (first, second, third):
        assert "first-token" not in str(result)
        assert "second-token" not in str(result)
    assert done(describe()) == [f"replace network {OURS}", f"delete kubeconfig {ACCESS}"]
    (place / ACCESS).write_text("apiVersion: v1\n")
    refused = run_module("calico_cni_config", {"config_dir": str(place), "state": "absent"})
    assert "a file is there that is not ours" in refused["msg"]
    assert (place / OURS).exists(), "nothing was touched"


def test_secrets_of_further_plugins_are_for_root_and_in_no_result(
    describe: t.Callable[..., Result], place: Path
) -> None:
    for password in ("hunter2", "hunter3"):
        result = describe(extra_plugins=[{"type": "guard", "password": password}])
        assert result["changed"]
        assert "hunter" not in str(result)
        assert content(place)["plugins"][-1]["password"] == password
        assert mode(place / OURS) == 0o600


@pytest.fixture
def log() -> t.Iterator[tuple[Path, t.Callable[[], str]]]:
    """Return a /dev with a system log, and a function that returns what was logged."""
    with tempfile.TemporaryDirectory(prefix="podnet-") as path:  # a socket's path has to be short
        yield from _log(Path(path))


def _log(folder: Path) -> t.Iterator[tuple[Path, t.Callable[[], str]]]:
    for name, minor in {"null": 3, "urandom": 9}.items():
        os.mknod(folder / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "log"))
        listener.setblocking(False)

        def logged() -> str:
            found = []
            while True:
                try:
                    found.append(listener.recv(1 << 20).decode())
                except BlockingIOError:
                    return "\n".join(found)

        yield folder, logged


KEY = "-----BEGIN PRIVATE KEY-----\nunbelievable\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("calico_cni_config", {"extra_plugins": [{"type": "guard", "auth": {"tokens": ["unbelievable"]}}]}),
        ("calico_cni_config", {"extra_plugins": [{"type": "guard", "private": KEY}]}),
        ("calico_cni_config", {"extra_plugins": [{"type": "guard", "private": KEY}], "mtu": "no number"}),
        ("calico_cni_config", {"list_options": {"registry": {"password": "unbelievable"}}}),
        ("calico_cni_config", {"chain": "calico", "calico": {"k8s_auth_token": "unbelievable"}}),
        ("calico_cni_config", {"kubeconfig": {"server": "https://192.0.2.1", "tokn": "unbelievable"}}),
        ("calico_cni_config", {"kubeconfig": "tokn=unbelievable"}),
        ("calico_cni_config", {"chain": "calico", "kubeconfig": {"server": "http://x", "client_key": KEY}}),
        ("calico_cni_plugins", {"url": "http://user:unbelievable@127.0.0.1:1/x.tgz", "sha256": "0" * 64}),
        ("calico_cni_plugins", {"url": "http://user:unbelievable@127.0.0.1:1/x.tgz", "take_over": "perhaps"}),
        ("calico_audit", {"cni": {"extra_plugins": [{"type": "guard", "private": KEY}]}, "nodes": []}),
    ],
)
def test_secrets_are_in_no_result_and_not_logged(
    modules: Modules,
    host: Namespace,
    place: Path,
    log: tuple[Path, t.Callable[[], str]],
    name: str,
    options: dict[str, t.Any],
) -> None:
    folder, logged = log
    own = {"config_dir": str(place), "ranges": RANGES} if name == "calico_cni_config" else {}
    result = modules.run(host.path, name, {**own, **options}, binds={"/dev": str(folder)})
    said = logged()
    assert "unbelievable" not in str(result)
    assert "unbelievable" not in said
    if not {"mtu", "take_over"} & {*options} and "tokn" not in str(options):  # else it is refused before
        assert "Invoked with" in said


def test_at_most_changes_the_mtu_alone(describe: t.Callable[..., Result], place: Path) -> None:
    describe(list_options={"disableCheck": True}, extra_plugins=[{"type": "guard", "password": "hunter2"}])
    before = content(place)
    (place / "05-other.conflist").write_text(OTHER)
    access = {"server": "https://192.0.2.1:6443", "token": "unused"}
    others = {"name": "other", "chain": "calico", "kubeconfig": access, "exclusive": True, "ranges": ["10.9.0.0/26"]}
    assert describe(mtu=9000, at_most=True, **others)["changed"] is False
    shrunk = describe(mtu=1400, at_most=True, **others)
    assert done(shrunk) == [f"replace network {OURS}"]
    assert "hunter2" not in str(shrunk)
    before["plugins"][0]["mtu"] = 1400
    assert content(place) == before
    assert mode(place / OURS) == 0o600
    assert sorted(os.listdir(place)) == ["05-other.conflist", OURS]


def test_a_name_stays_while_containers_have_addresses(
    modules: Modules, host: Namespace, tmp_path: Path, place: Path
) -> None:
    binds = {"/run": str(tmp_path / "run")}
    old, new = (tmp_path / "run/podnet-calico/cni" / name for name in ("podnet-calico", "other"))
    for folder in (old, new):
        folder.mkdir(parents=True)

    def run(*, check: bool = False, **options: t.Any) -> Result:
        return modules.run(host.path, "calico_cni_config", {**given(place), **options}, check=check, binds=binds)

    assert run()["changed"]
    assert run(name="other")["changed"], "there are no containers"
    assert run()["changed"]
    for name in ("10.244.0.2", "10.244.0.3", "last_reserved_ip.0", "lock"):
        (old / name).write_text("0123456789abcdef\r\neth0")
    assert not run()["changed"]
    for check, ranges in ((True, RANGES), (False, RANGES), (True, [])):
        refused = run(check=check, name="other", ranges=ranges)
        assert "rename the network podnet-calico to other: 2 addresses are in use by containers" in refused["msg"]
        assert "Remove these containers first, or keep the name" in refused["msg"]
    assert content(place)["name"] == "podnet-calico"
    gone = run(name="other", state="absent")
    assert [each["name"] for each in gone["changes"]] == [str(place / OURS), *_seen(new, old)]
    assert os.listdir(tmp_path / "run") == []
    assert run(name="other", state="absent")["changed"] is False


def _seen(*folders: Path) -> list[str]:
    return [f"/run/podnet-calico/cni/{folder.name}" for folder in folders]


@pytest.mark.parametrize("options", [{}, {"at_most": True}, {"state": "absent"}])
def test_a_folder_that_is_a_file(run_module: RunModule, place: Path, options: dict[str, t.Any]) -> None:
    place.parent.mkdir(parents=True)
    place.write_text("")
    refused = run_module("calico_cni_config", {**given(place), **options})
    assert f"use {place} as the folder of the container runtime's networks: it, or what it is in, is a file" in str(
        refused["msg"]
    )
    assert "Correct config_dir (cni_config_dir)" in refused["msg"]
    assert place.read_text() == ""


def test_plugins_have_to_be_in_their_folder(
    describe: t.Callable[..., Result], run_module: RunModule, tmp_path: Path, place: Path
) -> None:
    installed = str(cni_plugins.INSTALLED)
    some = tmp_path / "bin"
    some.mkdir()
    for name in ("ptp", "host-local", "portmap"):
        shutil.copy(cni_plugins.INSTALLED / name, some / name)
    for options, message in (
        ({"bin_dir": str(some)}, f"use the plugins in {some}: bandwidth, loopback are missing. Install a package"),
        ({"bin_dir": installed, "extra_plugins": [{"type": "guard"}]}, f"use the plugins in {installed}: guard is"),
        ({"bin_dir": installed, "spec_version": "1.1.0"}, "it does not know version 1.1.0 of the CNI specification"),
    ):
        for check in (True, False):
            assert message in run_module("calico_cni_config", {**given(place), **options}, check=check)["msg"]
    assert not place.exists()
    assert run_module("calico_cni_config", {**given(place), "bin_dir": str(some), "ranges": []})["changed"] is False
    assert describe(bin_dir=installed)["changed"]
    assert describe(bin_dir=str(some), mtu=1400, at_most=True)["changed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chain": "calico"}, "kubernetes.kubeconfig is missing. Give cni_kubeconfig"),
        ({"chain": "calico", "calico": {"etcd_endpoint": ""}}, "Did you mean etcd_endpoints?"),
        (
            {"chain": "calico", "calico": {"kubernetes": {"kubeconfig": "/none"}}},
            "cni_calico.kubernetes.kubeconfig: there is no file /none on this host",
        ),
        ({"name": "../up"}, "is no name of a network"),
        ({"name": "../up", "state": "absent"}, "is no name of a network"),
        ({"extra_plugins": [{"type": "tuning", "capabilities": ["mac"]}]}, "capabilities"),
        ({"ranges": ["10.244.0.0"], "list_options": {"disableGC": True}}, "disableGC is not known to version 1.0.0"),
    ],
)
def test_what_is_refused_touches_nothing(
    run_module: RunModule, place: Path, options: dict[str, t.Any], message: str
) -> None:
    for check in (True, False):
        refused = run_module("calico_cni_config", {**given(place), **options}, check=check)
        assert refused["failed"]
        assert message in refused["msg"]
    assert not place.exists()


def test_a_list_that_is_not_json_stays(run_module: RunModule, place: Path) -> None:
    place.mkdir(parents=True)
    (place / OURS).write_text('{"cniVersion": "1.0')
    refused = run_module("calico_cni_config", given(place))
    assert "is not JSON" in refused["msg"]
    assert "Remove it, and run this again" in refused["msg"]
    assert (place / OURS).read_text() == '{"cniVersion": "1.0'


@pytest.fixture
def small_disk(place: Path) -> t.Iterator[Path]:
    """Return the folder as a file system of its own, of a few pages."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_list(run_module: RunModule, small_disk: Path) -> None:
    assert run_module("calico_cni_config", given(small_disk))["changed"]
    before = (small_disk / OURS).read_text()
    with open(small_disk / "filler", "wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while file.write(b"0" * 4096):
            pass
    refused = run_module("calico_cni_config", {**given(small_disk), "mtu": 1400})
    assert "No space left on device" in refused["msg"]
    assert (small_disk / OURS).read_text() == before
    assert sorted(os.listdir(small_disk)) == [OURS, "filler"]


def test_a_folder_that_cannot_be_written(run_module: RunModule, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = run_module("calico_cni_config", given(small_disk))
    assert "Read-only file system" in refused["msg"]
    assert "Make the folder writable" in refused["msg"]
