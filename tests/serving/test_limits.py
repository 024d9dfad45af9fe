"""What the server does not take: too large, too slow, of the wrong kind, from the wrong place."""

import base64
import json
import socket
import struct
import threading
import time
import zlib
from pathlib import Path

import pytest

from convoy.serving.limits import Hosts, Limits, is_loopback
from tests.serving import servers
from tests.serving.servers import Server, form, until

HEAD = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{more}\r\n\r\n"


def head(more: str, path: str = "/predict", kind: str = "multipart/form-data; boundary=x") -> bytes:
    return HEAD.format(path=path, kind=kind, more=more).encode()


def bomb() -> bytes:
    """A small PNG that claims 12,000 x 12,000 pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_gigabyte_is_refused_before_it_is_sent(server: Server) -> None:
    started = time.monotonic()
    answer = server.raw(head(f"Content-Length: {1 << 30}\r\nExpect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    assert b"connection: close" in answer
    assert time.monotonic() - started < 5


def test_a_client_that_sends_on_still_gets_the_refusal(server: Server) -> None:
    answer = server.upload(bytes(17 << 20))
    assert answer.status == 413
    assert "larger than 16777216 bytes" in answer.json["detail"]


def test_chunks_without_a_length_are_counted(folder: Path) -> None:
    with servers.running(folder, limits=Limits(body=100_000, linger=0.2)) as server:
        _, body = form(("a.png", bytes(300_000)))
        sent = iter([body[n : n + 10_000] for n in range(0, len(body), 10_000)])
        answer = server.ask(
            "POST", "/predict", sent, {"content-type": "multipart/form-data; boundary=----toy"}
        )
        assert answer.status == 413


def test_a_length_that_is_too_small_does_not_smuggle_a_second_request(server: Server) -> None:
    body = b"x" * 10 + b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    answer = server.raw(head("Content-Length: 10\r\nConnection: close") + body)
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_that_never_arrives_is_given_up(folder: Path) -> None:
    with servers.running(folder, limits=Limits(receive=0.3, linger=0.1)) as server:
        answer = server.raw(head("Content-Length: 1000") + b"--x\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_goes_away_leaves_the_server_well(server: Server, pictures: list[Path]) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head("Content-Length: 1000") + b"--x\r\n")
    assert server.upload(pictures[0].read_bytes()).status == 200
    end = time.monotonic() + 10  # the server hears of it in its own time
    while server.metric("convoy_requests_active") != 1 and time.monotonic() < end:  # the one that asks
        time.sleep(0.05)
    assert server.metric("convoy_requests_active") == 1


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"<!doctype html><script>alert(1)</script>", 415, "not a picture in any known format"),
        (b"", 422, "the file is empty"),
        (bomb(), 413, "claims 12000 x 12000 pixels"),
        (b"\x89PNG\r\n\x1a\n", 415, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_kind(
    server: Server, content: bytes, status: int, reason: str
) -> None:
    answer = server.upload(content)
    assert answer.status == status
    assert reason in answer.json["detail"]
    assert answer.json["problems"][0]["file"] == "0.png"


def test_a_picture_that_is_cut_short_is_damaged(server: Server, pictures: list[Path]) -> None:
    whole = pictures[0].read_bytes()
    assert server.upload(whole[:60]).status == 422


def test_one_bad_picture_refuses_the_request_and_all_bad_ones_are_named(
    server: Server, pictures: list[Path]
) -> None:
    good = pictures[0].read_bytes()
    answer = server.upload(good, b"", good, b"no")
    assert answer.status == 422
    assert [problem["index"] for problem in answer.json["problems"]] == [1, 3]
    assert [problem["file"] for problem in answer.json["problems"]] == ["1.png", "3.png"]


def test_ten_thousand_fields_are_refused(server: Server) -> None:
    kind, body = form(*((f"{n}.png", b"x") for n in range(10_000)))
    answer = server.ask("POST", "/predict", body, {"content-type": kind})
    assert answer.status == 422
    assert "more than 256 fields" in answer.json["detail"]


def test_fields_that_are_no_files_are_refused(server: Server, pictures: list[Path]) -> None:
    kind, body = form(("a.png", pictures[0].read_bytes()), field="picture")
    answer = server.ask("POST", "/predict", body, {"content-type": kind})
    assert answer.status == 422
    assert "'picture'" in answer.json["detail"]
    plain = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\ntext\r\n--x--\r\n'
    answer = server.ask("POST", "/predict", plain, {"content-type": "multipart/form-data; boundary=x"})
    assert answer.status == 422


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        ("", b"", 415),
        ("multipart/form-data; boundary=x", b"no form", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
    ],
)
def test_what_is_no_form_is_refused(server: Server, kind: str, body: bytes, status: int) -> None:
    answer = server.ask("POST", "/predict", body, {"content-type": kind} if kind else {})
    assert answer.status == status, answer.body


def test_file_names_are_repeated_without_folders_and_touch_nothing(
    server: Server, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("../../etc/passwd", "..\\..\\boot.ini", "/root/a.png", "a\x00b.png"):
        kind, body = form((name, pictures[0].read_bytes()))
        answer = server.ask("POST", "/predict", body, {"content-type": kind})
        if answer.status == 200:
            shown = answer.json["predictions"][0]["file"]
            assert not set(shown) & set("/\\\x00")
            assert ".." not in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"\xff\xfe{", 400, "not JSON"),
        (b"[1]", 422, "not an object"),
        (b"{}", 422, "exactly one of"),
        (b'{"inputs": [], "dataframe_records": []}', 422, "exactly one of"),
        (b'{"inputs": ["x"], "params": {"temperature": 2}}', 422, "no parameters"),
        (b'{"inputs": []}', 422, "no pictures"),
        (b'{"inputs": 5}', 422, "not a list"),
        (b'{"dataframe_split": {"columns": ["picture"], "data": [["x"]]}}', 422, "'picture'"),
        (b'{"dataframe_split": {"columns": ["image"], "data": [["x", "y"]]}}', 422, "one value"),
        (b'{"dataframe_split": {"columns": "image", "data": []}}', 422, "list of names"),
        (b'{"dataframe_records": [{"image": "eA==", "more": 1}]}', 422, "2 columns"),
        (b'{"dataframe_records": ["eA=="]}', 422, "not an object"),
        (b'{"dataframe_records": [{"image": "no base64!"}]}', 422, "base64"),
        (b'{"dataframe_records": [{"image": 7}]}', 422, "base64"),
        (b'{"dataframe_records": [{"image": "/etc/passwd"}]}', 422, "row 0"),
        (b'{"dataframe_records": [{"image": "eA=="}]}', 422, "not a picture in any known format"),
    ],
)
def test_wrong_invocations_are_explained(server: Server, body: bytes, status: int, reason: str) -> None:
    answer = server.invoke(body)
    assert answer.status == status, answer.body
    assert reason in answer.json["detail"]


def test_ten_thousand_columns_and_rows_are_refused(server: Server) -> None:
    names = [f"c{n}" for n in range(10_000)]
    answer = server.invoke({"dataframe_split": {"columns": names, "data": [[0] * 10_000]}})
    assert answer.status == 422
    assert len(answer.body) < 1000
    assert server.invoke({"inputs": ["eA=="] * 10_000}).status == 422
    rows = b"image\n" + b"eA==\n" * 10_000
    assert server.ask("POST", "/invocations", rows, {"content-type": "text/csv"}).status == 422


def test_a_bomb_in_base64_is_too_large(server: Server) -> None:
    answer = server.invoke({"inputs": [base64.b64encode(bomb()).decode("ascii")]})
    assert answer.status == 413


def test_csv_with_another_column_or_none_is_refused(server: Server) -> None:
    for body, status in ((b"picture\neA==\n", 422), (b"", 422), (b"image\neA==,b\n", 422), (b"\xff", 400)):
        assert server.ask("POST", "/invocations", body, {"content-type": "text/csv"}).status == status
    assert server.ask("POST", "/invocations", b"x", {"content-type": "text/plain"}).status == 415


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8000"}, 421),
        ({"Host": "192.0.2.7"}, 421),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
    ],
)
def test_only_this_machines_names_and_pages_are_answered(
    server: Server, headers: dict[str, str], status: int
) -> None:
    answer = server.ask("GET", "/health", headers=headers)
    assert answer.status == status
    assert "access-control-allow-origin" not in answer.headers


def test_servers_for_other_machines_take_addresses_and_their_own_names() -> None:
    hosts = Hosts("0.0.0.0", ["models.example"])
    assert all(
        hosts.allows(name) for name in ("192.0.2.7:80", "models.example", "MODELS.example:80", "[::1]")
    )
    assert not hosts.allows("evil.example")
    assert not hosts.allows("")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.1", False)],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_without_the_token_nothing_is_told(folder: Path, pictures: list[Path]) -> None:
    token = "a-secret-of-some-length"
    with servers.running(folder, token=token) as server:
        for path in ("/health", "/version", "/metrics", "/openapi.json"):
            answer = server.ask("GET", path)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert server.upload(pictures[0].read_bytes(), authorization="Bearer wrong").status == 401
        assert server.upload(pictures[0].read_bytes(), authorization=f"Bearer {token}").status == 200
        assert server.ask("GET", "/").status == 200
        assert server.ask("GET", "/ping").status == 200


def test_beyond_the_requests_at_a_time_the_client_is_asked_to_come_again(
    folder: Path, pictures: list[Path]
) -> None:
    with servers.running(folder, limits=Limits(active=2, linger=0.1)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        for connection in held:
            connection.sendall(head("Content-Length: 1000") + b"--x\r\n")
        until(lambda: server.ask("GET", "/ping").status == 503)
        refused = server.upload(pictures[0].read_bytes())
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for connection in held:
            connection.close()
        until(lambda: server.upload(pictures[0].read_bytes()).status == 200)


def test_all_bodies_together_are_bounded(folder: Path) -> None:
    with servers.running(folder, limits=Limits(held=50_000, linger=0.1)) as server:
        assert server.upload(bytes(60_000)).status == 503
        assert server.upload(bytes(10_000)).status == 415  # what the first one held was given back


def test_an_answer_that_takes_too_long_is_given_up(
    folder: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    with servers.running(folder, limits=Limits(answer=0.3)) as server:
        prepare = server.live.current.predictor.prepare
        monkeypatch.setattr(
            server.live.current.predictor, "prepare", lambda content: release.wait(10) and prepare(content)
        )
        assert server.upload(pictures[0].read_bytes()).status == 503
        release.set()
        assert server.upload(pictures[0].read_bytes()).status == 200


def test_refusals_are_json_everywhere(server: Server) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/", 405)):
        answer = server.ask(method, path)
        assert answer.status == status
        assert set(json.loads(answer.body)) == {"detail", "problems"}
