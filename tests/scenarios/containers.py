# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real containers in lab nodes, of Podman and of containerd, from an image that is made here of a static busybox."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import time
import typing as t
from pathlib import Path

import cri
from snapshot import differences
from stage import Stage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import container_runtimes

IMAGE: t.Final = "localhost/busybox:1"
IMAGE_FILE: t.Final = "/run/busybox.tar"
APPLETS: t.Final = ("cat", "dd", "echo", "httpd", "ip", "ls", "mkdir", "ping", "sh", "sleep", "timeout", "true", "wget")
FOREVER: t.Final = ("/bin/sleep", "1000000")
PORT: t.Final = 8080
# Serves "hello", and files of zeros in MiB that take no room.
SERVER: t.Final = (
    *("/bin/sh", "-c"),
    "echo hello >/www/hello; for n in 32 560; do dd if=/dev/zero of=/www/$n bs=1 count=0 seek=${n}M 2>/dev/null; done; "
    f"exec httpd -f -p {PORT} -h /www",
)
# Podman's own: what this machine's kernel and its bounds for processes need, and nothing that is about networks.
PODMAN_SETTINGS: t.Final = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[containers]
log_driver = "none"
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
"""
# containerd's: as of Debian's package; the sandbox from our image, and no score for the OOM killer, which takes more
# rights than some build machines have.
CONTAINERD_SETTINGS: t.Final = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
"""
CONTAINERD2_SETTINGS: t.Final = f"""\
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
"""


def group(stage: Stage) -> str:
    """Return the control group that a lab's containers are in, so that no other lab's are touched with it."""
    return f"/podnet-{stage.lab.name}"


def clean_groups(stage: Stage, node: str) -> None:
    """Remove the control groups that a lab's containers have left on the machine; rmdir refuses those in use."""
    stage.run(node, f"find /sys/fs/cgroup -depth -type d -path '*{group(stage)}*' -exec rmdir {{}} + 2>&1")


def image(busybox: bytes) -> bytes:
    """Return an OCI image, as a tar, with busybox and its links, named IMAGE."""
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "www"):
            _add(tar, name, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", busybox)
        for applet in APPLETS:
            _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    layer = gzip.compress(files.getvalue(), 1, mtime=0)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(_machine(), _machine())
    config = _json(
        {
            "architecture": machine,
            "os": "linux",
            "config": {"Cmd": FOREVER, "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(files.getvalue())]},
        }
    )
    kinds = "application/vnd.oci.image."
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{kinds}manifest.v1+json",
            "config": _described(f"{kinds}config.v1+json", config),
            "layers": [_described(f"{kinds}layer.v1.tar+gzip", layer)],
        }
    )
    names = {"io.containerd.image.name": IMAGE, "org.opencontainers.image.ref.name": IMAGE}
    index = {
        "schemaVersion": 2,
        "manifests": [{**_described(f"{kinds}manifest.v1+json", manifest), "annotations": names}],
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))
        for blob in (layer, config, manifest):
            _add(tar, f"blobs/sha256/{_digest(blob)[7:]}", blob)
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.type, member.linkname = len(data), 0o755, kind, link
    tar.addfile(member, io.BytesIO(data))


def _machine() -> str:
    return subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _described(kind: str, data: bytes) -> dict[str, t.Any]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


def give(stage: Stage, node: str, *names: str, settings: t.Mapping[str, str]) -> None:
    """Put runtimes into a node, by their names in container_runtimes.SETS, with the image and their settings by path.

    Raises container_runtimes.Unavailable. In a node that is a namespace, the machine's control groups are mounted, and
    a file system of its own for images, since its root is made of layers already.
    """
    trees = [container_runtimes.tree(name) for name in names]
    for tree in trees:
        _copy(stage, node, tree)
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        busybox = next(path for tree in trees for path in (tree / "bin" / "busybox",) if path.exists())
        _add(tar, IMAGE_FILE[1:], image(busybox.read_bytes()))
        for path, text in settings.items():
            _add(tar, path[1:], text.encode())
    _unpack(stage, node, files.getvalue())
    if not stage.run(node, "mountpoint -q /sys/fs/cgroup").returncode:
        return
    for folder in ("containers", "containerd"):
        stage.ask(node, f"mkdir -p /var/lib/{folder} && mount -t tmpfs none /var/lib/{folder}")
    stage.ask(node, _mount_groups(Path("/proc/self/mounts").read_text()))


def _copy(stage: Stage, node: str, tree: Path) -> None:
    packed = subprocess.run(["tar", "-C", str(tree), "-cf", "-", "."], capture_output=True, check=True).stdout
    _unpack(stage, node, packed)


def _unpack(stage: Stage, node: str, packed: bytes) -> None:
    # --keep-directory-symlink: /lib leads to /usr/lib.
    command = stage.enter(node, "tar", "-C", "/", "--keep-directory-symlink", "--no-same-owner", "-xf", "-")
    subprocess.run(command, input=packed, check=True)


def _mount_groups(mounts: str) -> str:
    """Return commands that mount the control groups that the machine has; mounts: its /proc/self/mounts."""
    commands = []
    for line in mounts.splitlines():
        _device, place, kind, options = line.split()[:4]
        if place == "/sys/fs/cgroup" and kind == "tmpfs":
            commands.append(f"mount -t tmpfs -o mode=755 cgroup {place}")
        elif kind == "cgroup":
            general = r"rw|ro|relatime|nosuid|nodev|noexec|xattr|clone_children|cpuset_v2_mode|release_agent=.*"
            chosen = [option for option in options.split(",") if not re.fullmatch(general, option)]
            named = ["none"] if any(option.startswith("name=") for option in chosen) else []
            commands.append(f"mkdir -p {place} && mount -t cgroup -o {','.join(named + chosen)} cgroup {place}")
        elif kind == "cgroup2":
            commands.append(f"mkdir -p {place} && mount -t cgroup2 cgroup2 {place}")
    return " && ".join(commands)


class Box(t.Protocol):
    """A container that runs."""

    @property
    def address(self) -> str:
        """Return its IPv4 address."""

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it; return its status and what it printed."""

    def remove(self) -> None:
        """Stop and remove it."""


class Engine(t.Protocol):
    """A runtime in a node."""

    stage: Stage
    node: str

    def start(self, name: str, *command: str, ports: t.Mapping[int, int] | None = None) -> Box:
        """Start a container. ports: of the node, with those of the container (TCP)."""

    def names(self) -> list[str]:
        """Return the names or IDs of all containers."""


@dataclasses.dataclass
class PodmanBox:
    """A container of Podman."""

    engine: Podman
    name: str

    @property
    def address(self) -> str:
        """Return its IPv4 address."""
        template = "{{json .NetworkSettings.Networks}}"
        (network,) = json.loads(self.engine.podman("inspect", self.name, "--format", template)).values()
        return str(network["IPAddress"])

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it; return its status and what it printed."""
        answer = self.engine.call("exec", self.name, *command)
        return answer.returncode, answer.stdout + answer.stderr

    def remove(self) -> None:
        """Stop and remove it."""
        self.engine.podman("rm", "--force", "--time", "0", self.name)


@dataclasses.dataclass
class Podman:
    """Podman in a node."""

    stage: Stage
    node: str
    network: str = "podnet-calico"

    def install(self, settings: t.Mapping[str, str] | None = None) -> None:
        """Put it there, with its settings, and more of them."""
        place = "/etc/containers/containers.conf.d/90-lab.conf"
        give(self.stage, self.node, "podman", settings={place: PODMAN_SETTINGS, **(settings or {})})

    def load(self) -> None:
        """Load the image."""
        self.podman("load", "--quiet", "--input", IMAGE_FILE)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run podman and return its answer."""
        command = self.stage.enter(self.node, "podman", *words)
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def podman(self, *words: str) -> str:
        """Run podman, which has to succeed, and return what it printed."""
        answer = self.call(*words)
        assert answer.returncode == 0, f"podman {' '.join(words)}: {answer.stderr}"
        return answer.stdout.strip()

    def start(self, name: str, *command: str, ports: t.Mapping[int, int] | None = None) -> PodmanBox:
        """Start a container. ports: of the node, with those of the container (TCP)."""
        published = [f"--publish={outside}:{inside}" for outside, inside in (ports or {}).items()]
        options = ["--detach", f"--name={name}", f"--network={self.network}", "--cap-add=NET_RAW"]
        options += [f"--cgroup-parent={group(self.stage)}", *published]
        self.podman("run", *options, IMAGE, *command)
        return PodmanBox(self, name)

    def names(self) -> list[str]:
        """Return the names of all containers."""
        return self.podman("ps", "--all", "--format", "{{.Names}}").split()

    def end(self) -> None:
        """Remove all containers, and what they leave in the machine's control groups."""
        self.call("rm", "--all", "--force", "--time", "0")
        clean_groups(self.stage, self.node)


@dataclasses.dataclass
class PodBox:
    """A container in a pod of containerd."""

    pod: cri.Pod

    @property
    def address(self) -> str:
        """Return its IPv4 address."""
        return self.pod.addresses[0]

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it; return its status and what it printed."""
        return self.pod.run(*command)

    def remove(self) -> None:
        """Stop and remove it."""
        self.pod.remove()


class Containerd:
    """containerd in a node, asked through the CRI as Kubernetes does; program: of container_runtimes.SETS."""

    SETTINGS: t.Final[dict[str, str]] = {"containerd": CONTAINERD_SETTINGS, "containerd2": CONTAINERD2_SETTINGS}

    def __init__(self, stage: Stage, node: str, program: str = "containerd") -> None:
        self.stage, self.node, self._program = stage, node, program
        self.client: cri.Client | None = None

    def install(self, settings: t.Mapping[str, str] | None = None) -> None:
        """Put it there, with its settings, and more of them."""
        mine = {"/etc/containerd/config.toml": self.SETTINGS[self._program]}
        names = dict.fromkeys(["containerd", self._program])
        give(self.stage, self.node, *names, settings={**mine, **(settings or {})})

    def load(self) -> None:
        """Start it, load the image, and connect to it."""
        self.stage.ask(self.node, "systemctl start containerd")
        self.stage.ask(self.node, f"ctr --namespace k8s.io images import {IMAGE_FILE}")
        self.client = cri.Client(f"{self.stage.root(self.node)}/run/containerd/containerd.sock")

    def start(
        self,
        name: str,
        *command: str,
        ports: t.Mapping[int, int] | None = None,
        annotations: t.Mapping[str, str] | None = None,
    ) -> PodBox:
        """Start a container in a pod. ports: of the node, with those of the container (TCP)."""
        assert self.client is not None
        pod = self.client.run_pod(name, group(self.stage), ports=ports, annotations=annotations)
        pod.start(IMAGE, *(command or FOREVER))
        return PodBox(pod)

    def names(self) -> list[str]:
        """Return the IDs of all pods."""
        assert self.client is not None
        return self.client.pods()

    def end(self) -> None:
        """Remove all pods and stop it."""
        if self.client is not None:
            for identity in self.client.pods():
                cri.Pod(self.client, identity, b"").remove()
            self.client.close()
            self.client = None
        self.stage.run(self.node, "systemctl stop containerd")
        clean_groups(self.stage, self.node)


def reaches(box: Box, address: str) -> None:
    """Have a container ping an address: every packet is answered."""
    status, said = box.run("ping", "-c", "3", "-W", "10", address)
    assert status == 0 and " 0% packet loss" in said, said


def fetched(box: Box, url: str, seconds: float = 60.0) -> str:
    """Return what a container gets from a server, which may not listen yet."""
    deadline = time.monotonic() + seconds
    while True:
        status, said = box.run("timeout", "5", "wget", "-q", "-O", "-", url)
        if status == 0:
            return said.strip()
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def served(stage: Stage, node: str, url: str) -> bool:
    """Tell whether a node itself, not a container, gets "hello" from a server."""
    get = f"import urllib.request as r; print(r.urlopen('{url}', timeout=10).read())"
    return "hello" in stage.ask(node, f'python3 -c "{get}"')


def underlay(stage: Stage, node: str) -> str:
    """Return a node's address on the network of the hosts."""
    return stage.ask(node, "ip -4 -o addr show eth0").split()[3].partition("/")[0]


def left(before: dict[str, t.Any], after: dict[str, t.Any]) -> list[str]:
    """Return what containers have left on the nodes, without counters of rules and the marks that host-local keeps."""
    kept = re.compile(r"^\S+ files \S*(/last_reserved_ip\.\d|/lock|/cni\.lock|/results|/networks|/podnet-calico|/cni):")
    lines = [line for line in differences(_calm(before), _calm(after)) if not kept.search(line)]
    return [line for line in lines if " services " not in line]


def _calm(taken: dict[str, t.Any]) -> dict[str, t.Any]:
    rules = re.compile(r"counter packets \d+ bytes \d+")
    return {
        node: {**parts, "nft": {rules.sub("counter", rule): True for rule in parts["nft"]}}
        for node, parts in taken.items()
    }
