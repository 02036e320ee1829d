"""Who may talk to a box, with real boxes, real TLS and the command that users have."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles

REPOSITORY = Path(__file__).parents[2]


@dataclass
class User:
    """Somebody with the command, a configuration folder of their own, and a home that has no box."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", code: int = 0, home: Path | None = None) -> str:
        """What a command line prints; fails the test when it leaves with another code. `home` is a box's."""
        home = home or self.folder / "none"
        own = {"XDG_CONFIG_HOME": str(self.folder), "EDGEFN_HOME": str(home), "NO_COLOR": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "edgefn_cli", *arguments],
            check=False,
            env=os.environ | own,
            cwd=self.folder,
            capture_output=True,
            text=True,
            input=stdin,
        )
        assert done.returncode == code, f"edgefn {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr if code else done.stdout


@pytest.fixture
def user(tmp_path: Path) -> User:
    folder = tmp_path / "user"
    folder.mkdir()
    return User(folder)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, bundles: Bundles) -> Iterator[RunningBox]:
    """A box that listens beyond loopback, with TLS of its own making, and a function on it."""
    home = tmp_path_factory.mktemp("wide") / "box"
    with RunningBox(home, options=["--host", "0.0.0.0", "--tls", "auto"]) as running:
        running.deploy(bundles.of("echo"))
        running.deploy(bundles.of("digest"))
        yield running


def fingerprint(box: RunningBox) -> str:
    """The fingerprint that the box printed when it started."""
    (line,) = [line for line in box.words().splitlines() if "fingerprint sha256:" in line]
    return line.split()[-1]


def made(box: RunningBox, name: str, *scopes: str, rate: float | None = None) -> str:
    """A new token of the box."""
    answer = box.admin("POST", "tokens", json={"name": name, "scopes": scopes, "rate": rate})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def call(box: RunningBox, path: str, token: str = "", **options: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return box.http.request("POST" if path.startswith("/fn/") else "GET", path, headers=headers, **options)  # type: ignore[arg-type]


def test_a_login_over_tls_that_the_box_made(wide: RunningBox, user: User) -> None:
    """The certificate is compared once and then trusted alone; what the token opens is open, and nothing else."""
    token = made(wide, "laptop", "status", "invoke:echo")
    refused = user("login", wide.url, stdin=f"{token}\n", code=2)
    assert fingerprint(wide) in refused
    user("login", wide.url, "--fingerprint", f"sha256:{'0' * 64}", stdin=f"{token}\n", code=2)
    user("login", wide.url, "--fingerprint", fingerprint(wide), stdin="no-such-token\n", code=7)
    told = json.loads(
        user("login", wide.url, "--name", "wide", "--fingerprint", fingerprint(wide), "--json", stdin=f"{token}\n")
    )
    assert (told["token"], told["scopes"]) == ("laptop", ["invoke:echo", "status"])
    assert json.loads(user("invoke", "echo", "--json", '{"n": 1}', "--box", "wide"))["n"] == 2
    assert json.loads(user("list", "--json", "--box", "wide"))["functions"][-1]["name"] == "echo"
    assert "needs the scope admin" in user("stop", "echo", "--box", "wide", code=7)
    user("login", "--remove", "wide")
    assert "no box 'wide'" in user("list", "--box", "wide", code=2)


def test_another_certificate_is_not_trusted(wide: RunningBox, user: User, tmp_path: Path) -> None:
    """What took the box's place, here a box with a certificate of its own on another port, gets no token."""
    token = made(wide, "careful", "admin")
    user("login", wide.url, "--name", "wide", "--fingerprint", fingerprint(wide), stdin=f"{token}\n")
    logins = user.folder / "edgefn" / "logins.json"
    with RunningBox(tmp_path / "other", options=["--tls", "auto"]) as other:
        logins.write_text(logins.read_text().replace(wide.url, other.url))
        assert "is not trusted" in user("list", "--box", "wide", code=5)
        assert 'edgefn_refused_tokens_total{reason="wrong"} 0.0' in other.http.get("/metrics").text


def test_callers_beyond_loopback_need_a_token(wide: RunningBox) -> None:
    """On the short way and on the long one: none is 401, one for another function 403, the right one is answered."""
    right, other = made(wide, "right", "invoke:echo"), made(wide, "other", "invoke:another")
    assert call(wide, "/fn/echo").status_code == 401
    assert call(wide, "/fn/nothing").status_code == 401, "who has no token learns no names"
    assert call(wide, "/fn/echo", "edgefn_wrong").status_code == 401
    refused = call(wide, "/fn/echo", other)
    assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")
    assert call(wide, "/fn/echo", right, json={"n": 1}).json()["n"] == 2
    headers = {"authorization": f"Bearer {right}", "content-type": "application/json"}
    assert wide.http.post("/fn/echo", content=iter([b'{"n"', b": 1}"]), headers=headers).json()["n"] == 2
    assert call(wide, "/fn/echo", wide.token, json={"n": 1}).status_code == 200
    for path in ("/fn", "/openapi.json", "/metrics"):
        assert call(wide, path).status_code == 401, path
        assert call(wide, path, wide.token).status_code == 200, path
    assert call(wide, "/metrics", right).status_code == 403
    for path in ("/", "/healthz", "/readyz"):
        assert call(wide, path).status_code == 200, path
    assert wide.info().callers == "token"


def test_what_a_scope_opens_of_the_admin_api(wide: RunningBox) -> None:
    """`status` looks, but reads no logs; `invoke` sees whose token it is; nothing else of it is open to either."""
    status, invoke = made(wide, "looks", "status"), made(wide, "calls", "invoke:*")
    for path in ("box", "functions", "functions/echo", "functions/echo/explain"):
        assert call(wide, f"/admin/{path}", status).status_code == 200, path
        assert call(wide, f"/admin/{path}", invoke).status_code == 403, path
    for path in ("functions/echo/logs", "tokens", "no/such/route"):
        assert call(wide, f"/admin/{path}", status).status_code == 403, path
    assert call(wide, "/admin/token", invoke).json() == {"name": "calls", "scopes": ["invoke:*"]}
    for method, path in (("POST", "functions/echo/stop"), ("DELETE", "functions/echo"), ("POST", "tokens")):
        answer = wide.http.request(method, f"/admin/{path}", headers={"authorization": f"Bearer {status}"})
        assert answer.status_code == 403, path
    assert call(wide, "/fn/echo", invoke, json={"n": 1}).status_code == 200


def test_a_token_is_rotated_and_revoked_by_the_command(wide: RunningBox, user: User) -> None:
    """On the box's own machine by its socket; each value is shown once, and the one before opens nothing."""
    first = json.loads(user("box", "token", "create", "camera", "--scope", "invoke:echo", "--json", home=wide.home))[
        "token"
    ]
    assert call(wide, "/fn/echo", first, json={"n": 1}).status_code == 200
    listed = json.loads(user("box", "token", "list", "--json", home=wide.home))["tokens"]
    (camera,) = [token for token in listed if token["name"] == "camera"]
    assert (camera["scopes"], camera["uses"]) == (["invoke:echo"], 1)
    assert first not in json.dumps(listed)
    second = user("box", "token", "rotate", "camera", home=wide.home).strip()
    assert call(wide, "/fn/echo", first).status_code == 401
    assert call(wide, "/fn/echo", second, json={"n": 1}).status_code == 200
    user("box", "token", "revoke", "camera", home=wide.home)
    assert call(wide, "/fn/echo", second).status_code == 401
    assert user("box", "token", home=wide.home).strip() == wide.token


def test_a_rate_is_of_the_token(wide: RunningBox) -> None:
    """Over it 429 says when to come again; other tokens are as before."""
    slow, fast = made(wide, "slow", "invoke:echo", rate=0.2), made(wide, "fast", "invoke:echo")
    assert call(wide, "/fn/echo", slow, json={"n": 1}).status_code == 200
    refused = call(wide, "/fn/echo", slow, json={"n": 1})
    assert (refused.status_code, refused.json()["error"]) == (429, "RateExceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert call(wide, "/fn/echo", fast, json={"n": 1}).status_code == 200


def test_wrong_tokens_are_slowed_down_counted_and_logged(box: RunningBox) -> None:
    """Each one waits longer for its refusal; a right token from the same address does not wait meanwhile."""

    def guess() -> float:
        began = time.perf_counter()
        answer = httpx.get(f"{box.url}/admin/box", headers={"authorization": "Bearer no"}, timeout=30)
        assert answer.status_code == 401
        return time.perf_counter() - began

    for _ in range(4):
        guess()
    with ThreadPoolExecutor() as threads:
        guesses = [threads.submit(guess) for _ in range(2)]
        began = time.perf_counter()
        assert box.admin("GET", "box").status_code == 200
        answered = time.perf_counter() - began
        assert min(each.result() for each in guesses) > max(0.5, answered)
    assert "wrong token" in box.words()
    headers = {"authorization": "Bearer no", "x-forwarded-for": "203.0.113.7"}
    began = time.perf_counter()
    assert httpx.get(f"{box.url}/admin/box", headers=headers, timeout=30).status_code == 401
    assert time.perf_counter() - began < min(each.result() for each in guesses), "a guess is not the proxy's"
    assert "203.0.113.7" in box.words()
    found = re.search(r'edgefn_refused_tokens_total\{reason="wrong"\} (\S+)', box.http.get("/metrics").text)
    assert found is not None
    assert float(found[1]) >= 6


@pytest.mark.parametrize(("options", "callers"), [(["--host", "0.0.0.0", "--open"], "open"), ([], "loopback")])
def test_an_open_box_asks_nobody_and_says_so(
    tmp_path: Path, bundles: Bundles, options: list[str], callers: str
) -> None:
    """`--open`, or loopback alone: functions are called without a token, and with a wrong one; the admin API is not."""
    with RunningBox(tmp_path / "box", options=options) as box:
        box.deploy(bundles.of("echo"))
        assert box.invoke("echo", n=1).status_code == 200
        assert call(box, "/fn/echo", "wrong", json={"n": 1}).status_code == 200
        assert box.http.get("/metrics").status_code == 200
        assert box.http.get("/admin/box").status_code == 401
        assert box.info().callers == box.status("echo").callers == callers
        assert ("everybody who can reach the box may call" in box.words()) is (callers == "open")


# ── on the box's own machine ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_token_goes_to_whoever_took_the_port(tmp_path: Path, user: User) -> None:
    """The box is down and another program listens where it did: it gets a request, and nothing to use."""
    heard: list[bytes] = []
    with RunningBox(tmp_path / "box") as box:
        port = int(box.url.rpartition(":")[2])
        assert json.loads(user("box", "info", "--json", "--box", box.url, home=box.home))["pid"] == box.pid
        box.kill9()
        with socket.create_server(("127.0.0.1", port)) as thief, ThreadPoolExecutor() as threads:
            thief.settimeout(20)

            def listen() -> None:
                connection, _ = thief.accept()
                with connection:
                    heard.append(connection.recv(65536))

            threads.submit(listen)
            user("list", "--box", box.url, code=5, home=box.home)
            with socket.create_connection(("127.0.0.1", port)):
                pass
        assert all(box.token.encode() not in each and b"authorization" not in each.lower() for each in heard)


def test_the_socket_works_when_all_connections_are_taken(tmp_path: Path, user: User, bundles: Bundles) -> None:
    """The owner's way in is not the network's: with that full, the box is looked at, called and mended."""
    limit = ["prlimit", "--nofile=512:512"]
    with RunningBox(tmp_path / "box", before=limit) as box, ExitStack() as crowd:
        box.deploy(bundles.of("echo"))
        host, port = box.url.removeprefix("http://").split(":")
        for _ in range(600):
            crowd.enter_context(socket.create_connection((host, int(port))))
        assert json.loads(user("list", "--json", home=box.home))["functions"][0]["name"] == "echo"
        assert json.loads(user("invoke", "echo", "--json", '{"n": 1}', home=box.home))["n"] == 2
        assert json.loads(user("stop", "echo", "--json", home=box.home))["instances"] == []


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def authority(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a client's certificate and key that it signed."""
    subject = ["-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign"]
    _openssl(folder, "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", *subject)
    _openssl(folder, "req", "-new", *_KEY, "-keyout", "client.key", "-out", "client.csr", "-subj", "/CN=client")
    signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    _openssl(folder, "x509", "-req", "-in", "client.csr", "-out", "client.pem", *signing)
    return folder / "ca.pem", folder / "client.pem", folder / "client.key"


_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def test_clients_with_a_certificate_of_their_own(tmp_path: Path, user: User, tool: Callable[[str], str]) -> None:
    """With --tls-client-ca nobody without one is heard, a token or not; the command shows the user's."""
    tool("openssl")
    ca, certificate, key = authority(tmp_path)
    options = ["--tls", "auto", "--tls-client-ca", str(ca)]
    with RunningBox(tmp_path / "box", options=options, client=(str(certificate), str(key))) as box:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{box.url}/healthz", verify=False)
        own = ["--client-cert", str(certificate), "--client-key", str(key)]
        trusted = [*own, "--fingerprint", fingerprint(box)]
        user("login", box.url, "--fingerprint", fingerprint(box), stdin=box.token, code=5)
        user("login", box.url, "--name", "strict", *trusted, stdin=box.token)
        assert json.loads(user("box", "info", "--json", "--box", "strict"))["tls"]["wants_client_certificates"]


def test_a_certificate_from_elsewhere_and_its_renewal(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """--tls-cert and --tls-key; after SIGHUP new connections see the certificate that lies there now."""
    tool("openssl")

    def renew() -> None:
        subject = ["-subj", "/CN=box", "-addext", "subjectAltName=IP:127.0.0.1"]
        _openssl(tmp_path, "req", "-x509", *_KEY, "-keyout", "box.key", "-out", "box.pem", "-days", "2", *subject)

    renew()
    options = ["--tls-cert", str(tmp_path / "box.pem"), "--tls-key", str(tmp_path / "box.key")]
    with RunningBox(tmp_path / "box", options=options) as box:
        assert box.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "box.pem"))
        assert httpx.get(f"{box.url}/healthz", verify=trusting).status_code == 200
        before = box.info().tls
        renew()
        os.kill(box.pid, 1)
        box.until_words("the certificate now is")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "box.pem"))
        assert httpx.get(f"{box.url}/healthz", verify=trusting).status_code == 200
        assert box.info().tls != before


def test_large_bodies_pipelines_and_slow_handshakes_over_tls(wide: RunningBox) -> None:
    """A body of megabytes is whole, two requests in one piece get two answers, and who says nothing
    during its handshake keeps nobody waiting."""
    token, body = made(wide, "bulk", "invoke:*"), os.urandom(3_000_000)
    host, port = "127.0.0.1", int(wide.url.rpartition(":")[2])
    with ExitStack() as silent:
        for _ in range(50):
            silent.enter_context(socket.create_connection((host, port)))
        answer = call(wide, "/fn/digest", token, content=body)
        assert answer.json() == hashlib.sha256(body).hexdigest(), answer.text[:200]
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((host, port)) as plain, context.wrap_socket(plain) as client:
            client.settimeout(20)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: box\r\n\r\n" * 2)
            heard = b""
            while heard.count(b'{"live":true}') < 2:
                heard += client.recv(65536)
            assert heard.count(b"HTTP/1.1 200") == 2


def test_tls_that_cannot_be_is_told(tmp_path: Path) -> None:
    """Exit code 2 and what to give; no box speaks plain HTTP where TLS was asked for."""
    files = ["--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"]
    line = [sys.executable, "-m", "edgefn_runtime", "--home", str(tmp_path / "box"), "--port", "0", *files]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "holds no certificate" in done.stderr) == (2, True), done.stderr
