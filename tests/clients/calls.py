"""Requests as clients are told to make them, and each client that makes them: unchanged, in the way of its manual."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

FOLDER = Path(__file__).parent
LIMIT_S = 60.0

Pairs = list[tuple[str, str]]


class File(NamedTuple):
    """A field of a multipart form. Without `filename` and `media` it is text."""

    name: str
    data: bytes
    filename: str | None = None
    media: str | None = None


class Call(msgspec.Struct, frozen=True):
    """A request to a function: a body of a content type, or a form, or neither; and a query."""

    function: str
    query: Pairs = []
    media: str | None = None
    body: bytes | None = None
    form: Pairs | None = None
    multipart: list[File] | None = None

    @property
    def path(self) -> str:
        """The path with the query."""
        return f"/fn/{self.function}" + (f"?{urlencode(self.query)}" if self.query else "")


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes


Client = Callable[[str, Sequence[Call]], list[Reply]]
"""Makes each call of the box at a URL, and returns the replies in their order."""


def encoded(call: Call) -> tuple[str | None, bytes | None]:
    """Return content type and body as bytes, for clients (and the codec) that know no forms."""
    if call.form is not None:
        return "application/x-www-form-urlencoded", urlencode(call.form).encode()
    if call.multipart is None:
        return call.media, call.body
    boundary = secrets.token_hex(8)
    parts = []
    for field in call.multipart:
        filename = f'; filename="{field.filename}"' if field.filename is not None else ""
        media = f"Content-Type: {field.media}\r\n" if field.media else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field.name}"{filename}\r\n{media}\r\n'
        parts.append(head.encode() + field.data + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


def _headers(call: Call) -> dict[str, str]:
    return {"content-type": call.media} if call.media else {}


def _files(call: Call) -> list[tuple[str, Any]] | None:
    """Return the fields as httpx and requests take them."""
    if call.multipart is None:
        return None
    return [(f.name, (f.filename, f.data, f.media) if f.media else (f.filename, f.data)) for f in call.multipart]


def by_httpx(url: str, calls: Sequence[Call]) -> list[Reply]:
    """Return httpx's replies."""
    import httpx

    found = []
    with httpx.Client(base_url=url, timeout=LIMIT_S) as client:
        for call in calls:
            form = None if call.form is None else _grouped(call.form)
            answer = client.post(call.path, content=call.body, data=form, files=_files(call), headers=_headers(call))
            found.append(Reply(answer.status_code, answer.content))
    return found


def by_requests(url: str, calls: Sequence[Call]) -> list[Reply]:
    """Return requests' replies."""
    import requests

    found = []
    with requests.Session() as session:
        for call in calls:
            data: Any = call.body if call.form is None else call.form
            answer = session.post(
                url + call.path, data=data, files=_files(call), headers=_headers(call), timeout=LIMIT_S
            )
            found.append(Reply(answer.status_code, answer.content))
    return found


def by_aiohttp(url: str, calls: Sequence[Call]) -> list[Reply]:
    """Return aiohttp's replies."""
    import aiohttp

    def data_of(call: Call) -> Any:
        if call.form is not None:
            return aiohttp.FormData(call.form)
        if call.multipart is None:
            return call.body
        form = aiohttp.FormData(default_to_multipart=True)
        for f in call.multipart:
            if f.filename is None and not f.media:
                form.add_field(f.name, f.data.decode())
            else:
                form.add_field(f.name, f.data, filename=f.filename, content_type=f.media)
        return form

    async def all_of() -> list[Reply]:
        found = []
        limit = aiohttp.ClientTimeout(total=LIMIT_S)
        async with aiohttp.ClientSession(timeout=limit) as session:
            for call in calls:
                skip = () if call.media or call.body is None else ("Content-Type",)
                async with session.post(
                    url + call.path, data=data_of(call), headers=_headers(call), skip_auto_headers=skip
                ) as answer:
                    found.append(Reply(answer.status, await answer.read()))
        return found

    return asyncio.run(all_of())


def by_curl(*options: str) -> Client:
    """Return a client: one curl with `options` that makes all calls, one after another."""

    def called(url: str, calls: Sequence[Call]) -> list[Reply]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config = "next\n".join(_curl(url, call, options, folder, number) for number, call in enumerate(calls))
            command = ["curl", "--config", "-"]
            done = subprocess.run(command, input=config.encode(), capture_output=True, check=False, timeout=4 * LIMIT_S)
            assert done.returncode == 0, done.stderr.decode()
            return [
                Reply(int(status), output.read_bytes() if (output := folder / f"{number}.out").exists() else b"")
                for number, status in enumerate(done.stdout.split())
            ]

    return called


def _curl(url: str, call: Call, options: Sequence[str], folder: Path, number: int) -> str:
    """Return the lines of curl's config for one call."""
    lines = ["silent", "show-error", *options, f"max-time = {LIMIT_S}", 'write-out = "%{http_code}\\n"']
    lines += [f'output = "{folder / f"{number}.out"}"', f'url = "{url + call.path}"']
    if call.multipart is not None:
        for at, field in enumerate(call.multipart):
            path = folder / f"{number}.{at}"
            path.write_bytes(field.data)
            lines.append(f'form = "{_curl_field(field, path)}"')
    elif call.form is not None:
        for at, (name, value) in enumerate(call.form):
            (folder / f"{number}.{at}").write_text(value)
            lines.append(f'data-urlencode = "{name}@{folder / f"{number}.{at}"}"')
    else:
        path = folder / f"{number}.in"
        path.write_bytes(call.body or b"")
        lines.append(f'header = "content-type:{f" {call.media}" if call.media else ""}"')
        lines.append(f'data-binary = "@{path}"')
    return "\n".join(lines) + "\n"


def _curl_field(field: File, path: Path) -> str:
    if field.filename is None:  # "<" sends what is in the file as text
        return f"{field.name}=<{path}" + (f";type={field.media}" if field.media else "")
    return f"{field.name}=@{path};filename={field.filename}" + (f";type={field.media}" if field.media else "")


def by_node(url: str, calls: Sequence[Call]) -> list[Reply]:
    """Return the replies that fetch of Node gets."""
    lines = [json.dumps(_line(url, call)) for call in calls]
    replies = map(json.loads, _program(["node", "node_fetch.mjs"], lines))
    return [Reply(one["status"], base64.b64decode(one["body"])) for one in replies]


def by_jdk(url: str, calls: Sequence[Call]) -> list[Reply]:
    """Return the replies that HttpClient of the JDK gets. It has no forms, so it is given them as bytes."""
    made = [(url + call.path, *encoded(call)) for call in calls]
    lines = [
        "\t".join((where, media or "-", base64.b64encode(body or b"").decode() or "-")) for where, media, body in made
    ]
    replies = [line.split("\t") for line in _program(["java", "JdkClient.java"], lines)]
    return [Reply(int(status), base64.b64decode(body)) for status, body in replies]


def _program(command: list[str], lines: list[str]) -> list[str]:
    sent = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(command, input=sent, capture_output=True, check=False, timeout=4 * LIMIT_S, cwd=FOLDER)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def _line(url: str, call: Call) -> dict[str, Any]:
    fields = (
        None
        if call.multipart is None
        else [{**field._asdict(), "data": base64.b64encode(field.data).decode()} for field in call.multipart]
    )
    body = None if call.body is None else base64.b64encode(call.body).decode()
    return {"url": url + call.path, "media": call.media, "body": body, "form": call.form, "multipart": fields}


def _grouped(form: Pairs) -> dict[str, Any]:
    grouped: dict[str, list[str]] = {}
    for name, value in form:
        grouped.setdefault(name, []).append(value)
    return dict(grouped)


CLIENTS: dict[str, tuple[str, Client]] = {
    "httpx": ("", by_httpx),
    "requests": ("", by_requests),
    "aiohttp": ("", by_aiohttp),
    "curl": ("curl", by_curl("http1.1")),
    "curl --http2": ("curl", by_curl("http2")),
    "Node fetch": ("node", by_node),
    "JDK HttpClient": ("java", by_jdk),
}
"""Each client by its name, with the program that must be there."""
