# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the Container Runtime Interface, runtime.v1 of Kubernetes, as it takes to run pods with one container.

The numbers of the fields are those of api.proto of k8s.io/cri-api. Debian has no client of it.
"""

from __future__ import annotations

import typing as t

import grpc

Value = t.Union[int, str, bytes]
SECONDS: t.Final = 120.0
_VARINT, _BYTES = 0, 2  # wire types of Protocol Buffers


def message(*fields: tuple[int, Value]) -> bytes:
    """Return an encoded message of numbers and their values: whole numbers, texts and messages."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(_varint(number << 3 | _VARINT) + _varint(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            parts.append(_varint(number << 3 | _BYTES) + _varint(len(data)) + data)
    return b"".join(parts)


def fields(data: bytes) -> dict[int, list[t.Any]]:
    """Return the values in an encoded message by number: whole numbers, and bytes for texts and messages."""
    found: dict[int, list[t.Any]] = {}
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        value: t.Any
        value, place = _number(data, place)
        if key & 7 == _BYTES:
            value, place = data[place : place + value], place + value
        elif key & 7 != _VARINT:
            raise ValueError(f"wire type {key & 7}")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


class Client:
    """A connection to a runtime through its socket."""

    def __init__(self, socket: str) -> None:
        # Go's servers refuse the path of a socket as the name of a host.
        options = [("grpc.default_authority", "localhost"), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=options)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def call(self, method: str, *request: tuple[int, Value]) -> dict[int, list[t.Any]]:
        """Call a method of RuntimeService; return the fields of its answer. Raises grpc.RpcError."""
        rpc = self._channel.unary_unary(
            f"/runtime.v1.RuntimeService/{method}",
            request_serializer=lambda values: message(*values),
            response_deserializer=fields,
        )
        return dict(rpc(request, timeout=SECONDS))

    def conditions(self) -> dict[str, str]:
        """Return what the runtime says of itself: the message for RuntimeReady and NetworkReady, empty for true."""
        (status,) = self.call("Status")[1]
        found = {}
        for condition in map(fields, fields(status)[1]):
            ready = bool(condition.get(2, [0])[0])
            found[condition[1][0].decode()] = "" if ready else condition.get(4, [b"not ready"])[0].decode()
        return found

    def run_pod(
        self,
        name: str,
        group: str,
        *,
        ports: t.Mapping[int, int] | None = None,
        annotations: t.Mapping[str, str] | None = None,
    ) -> Pod:
        """Start a pod's sandbox. group: its control group's parent. ports: of the host, with those of the pod (TCP)."""
        config = message(
            (1, message((1, name), (2, name), (3, "default"))),
            (2, name),
            *((5, message((2, inside), (3, outside))) for outside, inside in (ports or {}).items()),
            *((7, message((1, key), (2, value))) for key, value in (annotations or {}).items()),
            (8, message((1, group))),
        )
        return Pod(self, self.call("RunPodSandbox", (1, config))[1][0].decode(), config)

    def pods(self) -> list[str]:
        """Return the IDs of all sandboxes."""
        return [fields(item)[1][0].decode() for item in self.call("ListPodSandbox").get(1, [])]


class Pod:
    """A pod's sandbox, and the container in it once there is one."""

    def __init__(self, client: Client, identity: str, config: bytes) -> None:
        self._client, self.identity, self._config = client, identity, config
        self.container = ""

    @property
    def addresses(self) -> list[str]:
        """Return the pod's addresses as the runtime tells them."""
        (status,) = self._client.call("PodSandboxStatus", (1, self.identity))[1]
        network = fields(fields(status)[5][0])
        return [network[1][0].decode(), *(fields(item)[1][0].decode() for item in network.get(2, []))]

    def start(self, image: str, *command: str) -> None:
        """Create and start the container. It may send ICMP."""
        capabilities = message((2, message((1, message((1, "NET_RAW"))))))
        config = message(
            (1, message((1, "main"))), (2, message((1, image))), *((3, word) for word in command), (15, capabilities)
        )
        created = self._client.call("CreateContainer", (1, self.identity), (2, config), (3, self._config))
        self.container = created[1][0].decode()
        self._client.call("StartContainer", (1, self.container))

    def run(self, *command: str, seconds: int = 60) -> tuple[int, str]:
        """Run a command in the container; return its status and what it printed."""
        request = ((1, self.container), *((2, word) for word in command), (3, seconds))
        answer = self._client.call("ExecSync", *request)
        said = b"".join(answer.get(1, []) + answer.get(2, []))
        return answer.get(3, [0])[0], said.decode(errors="replace")

    def remove(self) -> None:
        """Stop and remove container and sandbox."""
        self._client.call("StopPodSandbox", (1, self.identity))
        self._client.call("RemovePodSandbox", (1, self.identity))
