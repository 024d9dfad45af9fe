import errno
import gzip
import hashlib
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convoy.config.data import DataConfig
from convoy.data import downloads
from convoy.data.sources import named
from convoy.data.sources._sets import SETS
from convoy.errors import ConfigError, IntegrityError, ResourceError
from tests.data.sources.toys_named import write_set

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Gives files from memory; counts what was asked for; `answers` overrule a file."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                outer.asked.append(name)
                if name in outer.answers:
                    outer.answers[name](self)
                elif name in outer.files:
                    give(self, outer.files[name])
                else:
                    self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def mirror(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/some/folder/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def give(handler: BaseHTTPRequestHandler, content: bytes, announced: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def digits(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A made-up MNIST on the server, its checksums in the table."""
    write_set(tmp_path / "made", "MNIST", packed=True)
    server.files = {path.name: path.read_bytes() for path in (tmp_path / "made" / "MNIST" / "raw").iterdir()}
    remotes = [replace(remote, md5=md5(server.files[remote.name])) for remote in SETS["MNIST"].remotes]
    monkeypatch.setitem(SETS, "MNIST", replace(SETS["MNIST"], remotes=remotes))
    return server


def archive(kind: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as zipped:
            for name, content in members.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tarred.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def offer(
    server: Server, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str | None = None
) -> bytes:
    """Put a made-up archive of a data set onto the server and its checksum into the table."""
    known = SETS[dataset]
    (remote,) = known.remotes
    packed = dataset.startswith("EMNIST")
    write_set(tmp_path / "made", dataset, packed=packed)
    made = tmp_path / "made" / known.folder
    members = {
        member: (made / name).read_bytes()
        for member, name in (remote.members or {}).items()
        if name != lacking
    }
    members["../outside"] = b"a trap"
    content = archive("zip" if packed else "tar", members)
    server.files[remote.name] = content
    monkeypatch.setitem(SETS, dataset, replace(known, remotes=[replace(remote, md5=md5(content))]))
    return content


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_set_is_fetched_as_the_source_reads_it(digits: Server, tmp_path: Path) -> None:
    said: list[str] = []
    assert not named.present(tmp_path / "data", DataConfig(source="named", path="x", dataset="MNIST"))
    place = downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror], say=said.append)
    assert place == tmp_path / "data" / "MNIST" / "raw"
    assert named.present(tmp_path / "data", DataConfig(source="named", path="x", dataset="MNIST"))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == digits.files
    assert len(said) == 4
    scan = named.scan(tmp_path / "data", DataConfig(source="named", path="x", dataset="MNIST"))
    assert len(scan.samples) == 24
    assert scan.notes == []


def test_what_is_there_is_not_fetched_again(digits: Server, tmp_path: Path) -> None:
    place = downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    (place / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"damaged"))
    digits.asked.clear()
    downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert digits.asked == ["train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert {path.name: path.read_bytes() for path in place.iterdir()} == digits.files
    digits.asked.clear()
    downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert digits.asked == []


@pytest.mark.parametrize("dataset", ["CIFAR10", "CIFAR100", "STL10", "EMNIST-letters"])
def test_of_an_archive_only_the_members_of_the_table_are_kept(
    dataset: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(server, dataset, tmp_path, monkeypatch)
    place = downloads.get(dataset, tmp_path / "data", mirrors=[server.mirror])
    known = SETS[dataset]
    assert sorted(path.name for path in place.iterdir()) == sorted((known.remotes[0].members or {}).values())
    assert len(everything(tmp_path / "data")) == len(list(place.iterdir()))
    assert not (tmp_path / "outside").exists()
    options = DataConfig(source="named", path="x", dataset=dataset)
    assert named.present(tmp_path / "data", options)
    assert len(named.scan(tmp_path / "data", options).samples) == 12 * len(known.parts)
    server.asked.clear()
    downloads.get(dataset, tmp_path / "data", mirrors=[server.mirror])
    assert server.asked == []


def test_an_archive_that_lies_there_is_unpacked_without_a_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = offer(server, "CIFAR10", tmp_path, monkeypatch)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-binary.tar.gz").write_bytes(content)
    place = downloads.get("CIFAR10", tmp_path / "data", mirrors=["http://127.0.0.1:9/"])
    assert len(list(place.iterdir())) == 6
    assert (tmp_path / "data" / "cifar-10-binary.tar.gz").exists()


def test_an_archive_without_a_member_is_an_integrity_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(server, "CIFAR10", tmp_path, monkeypatch, lacking="test_batch.bin")
    with pytest.raises(IntegrityError, match=r"test_batch\.bin"):
        downloads.get("CIFAR10", tmp_path / "data", mirrors=[server.mirror])
    assert not named.present(tmp_path / "data", DataConfig(source="named", path="x", dataset="CIFAR10"))


NAME = "train-images-idx3-ubyte.gz"


def test_another_content_is_an_integrity_error_and_leaves_nothing(digits: Server, tmp_path: Path) -> None:
    digits.files[NAME] = b"<html>Please log in</html>"
    with pytest.raises(IntegrityError, match="MD5") as error:
        downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert NAME in error.value.what
    assert digits.mirror in error.value.where
    assert str(tmp_path / "data" / "MNIST" / "raw") in error.value.fix
    assert everything(tmp_path / "data") == []


def _cut(handler: BaseHTTPRequestHandler) -> None:
    give(handler, b"x" * 100, announced=1000)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


def _lie(handler: BaseHTTPRequestHandler) -> None:
    give(handler, b"x", announced=1 << 60)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_cut, "broken off after 100 of 1,000 bytes"),
        (_hang_up, "no answer"),
        (_lie, "no room on the disk"),
        (lambda handler: handler.send_error(404), "the server answers 404"),
        (lambda handler: handler.send_error(503, "Later"), "the server answers 503 Later"),
    ],
)
def test_a_server_that_fails_is_a_resource_error_and_leaves_nothing(
    digits: Server, tmp_path: Path, answer: Answer, message: str
) -> None:
    digits.answers[NAME] = answer
    with pytest.raises(ResourceError, match=message) as error:
        downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert NAME in str(error.value)
    assert everything(tmp_path / "data") == []


def test_a_server_that_says_nothing_is_given_up(digits: Server, tmp_path: Path) -> None:
    done = threading.Event()
    digits.answers[NAME] = lambda handler: done.wait(20) and None
    try:
        with pytest.raises(ResourceError, match=r"no answer: .*timed out"):
            downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror], timeout=0.2)
    finally:
        done.set()


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot fetch train-images") as error:
        downloads.get("MNIST", tmp_path / "data", mirrors=["http://127.0.0.1:9/", "http://127.0.0.1:10/"])
    assert error.value.what.count("no answer") == 2
    assert "by hand" in error.value.fix
    assert everything(tmp_path / "data") == []


def test_the_second_mirror_helps_out(digits: Server, tmp_path: Path) -> None:
    mirrors = ["http://127.0.0.1:9/", digits.mirror]
    assert len(list(downloads.get("MNIST", tmp_path / "data", mirrors=mirrors).iterdir())) == 4


def test_what_a_killed_fetch_left_is_removed(digits: Server, tmp_path: Path) -> None:
    place = tmp_path / "data" / "MNIST" / "raw"
    place.mkdir(parents=True)
    (place / f".{NAME}.abc.part").write_bytes(b"half of it")
    (tmp_path / "data" / f".{NAME}.xyz").mkdir()
    (place / ".other.part").write_bytes(b"not ours")
    downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert len(everything(tmp_path / "data")) == 5
    assert (place / ".other.part").exists()
    assert not (tmp_path / "data" / f".{NAME}.xyz").exists()


def test_a_full_disk_is_a_resource_error(
    digits: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", lambda path, target: full(path))
    with pytest.raises(ResourceError, match="No space left"):
        downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])
    assert everything(tmp_path / "data") == []


def test_too_small_a_disk_is_found_before_it_is_full(
    digits: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(ResourceError, match="no room on the disk"):
        downloads.get("MNIST", tmp_path / "data", mirrors=[digits.mirror])


def test_an_unknown_name_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data set is called 'mnst'") as error:
        downloads.get("mnst", tmp_path)
    assert "did you mean MNIST?" in error.value.fix
    assert downloads.names() == sorted(SETS)
