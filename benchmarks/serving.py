"""HTTP: one picture at a time and 32 clients at once, beside `mlflow models serve` with the same bundle."""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import numpy as np

from benchmarks import shelf
from benchmarks.measure import Report, verdict

OURS, OURS_JSON, MLFLOW = "convoy serve, /predict", "convoy serve, /invocations", "mlflow models serve"
LATENCY, THROUGHPUT = 0.5, 2.0  # targets: at most, at least
CLIENTS = 32
PICTURES = 200
_TURN = 100  # requests of a side in one round


@dataclass(frozen=True)
class Side:
    port: int
    requests: list[bytes]


def run(rounds: int, progress: Callable[[str], None], seconds: float = 60.0) -> Report:
    """`seconds`: of each side under load."""
    with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder:
        stock = shelf.fill(Path(folder), PICTURES)
        with _ours(stock) as ours, _mlflow(stock) as mlflow:
            sides = {
                OURS: Side(ours, [shelf.multipart(p) for p in stock.pictures]),
                OURS_JSON: Side(ours, [shelf.invocation(p) for p in stock.pictures]),
                MLFLOW: Side(mlflow, [shelf.invocation(p) for p in stock.pictures]),
            }
            _same_answers(sides)
            latencies = _latencies(sides, rounds, progress)
            loads = {}
            for name in (OURS, MLFLOW):
                progress(f"{CLIENTS} clients: {name}")
                loads[name] = asyncio.run(_load(sides[name], seconds))
    return _report(latencies, loads, seconds)


def _latencies(
    sides: dict[str, Side], rounds: int, progress: Callable[[str], None]
) -> dict[str, list[list[float]]]:
    """Seconds of each request, by side and round; one open connection, no other client."""
    found: dict[str, list[list[float]]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            progress(f"round {turn}/{rounds}: {name}")
            with socket.create_connection(("127.0.0.1", side.port)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                taken = []
                for number in range(_TURN):
                    start = time.perf_counter()
                    _ask(connection, side.requests[number % len(side.requests)])
                    taken.append(time.perf_counter() - start)
            if turn:
                found[name].append(taken)
    return found


def _ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    answer = b""
    while (body := _body(answer)) is None:
        chunk = connection.recv(65536)
        assert chunk, "the server closed the connection"
        answer += chunk
    return body


def _body(answer: bytes) -> bytes | None:
    """The body of a complete answer; None while it is not complete."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return None
    assert head.startswith(b"HTTP/1.1 200 "), answer[:500]
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return body if len(body) >= length else None


async def _load(side: Side, seconds: float) -> tuple[float, np.ndarray]:
    """Answers a second, and the seconds of each, of CLIENTS without a pause. An error ends it all."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        while (start := time.perf_counter()) < end:
            writer.write(side.requests[number % len(side.requests)])
            number += CLIENTS
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            taken.append(time.perf_counter() - start)
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return len(taken) / (time.perf_counter() - start), np.array(taken)


def _same_answers(sides: dict[str, Side]) -> None:
    """Every side gives the same label, and the same probability to 1e-4, for every picture."""
    answers: dict[str, list[tuple[str, float]]] = {}
    for name, side in sides.items():
        with socket.create_connection(("127.0.0.1", side.port)) as connection:
            rows = [json.loads(_ask(connection, r))["predictions"][0] for r in side.requests]
        answers[name] = [
            (r.get("label", r.get("prediction")), r.get("probability", r.get("confidence"))) for r in rows
        ]
    for name in (OURS_JSON, MLFLOW):
        for (label, chance), (other, its) in zip(answers[OURS], answers[name], strict=True):
            assert label == other, name
            assert abs(chance - its) <= 1e-4, name


def _report(
    latencies: dict[str, list[list[float]]], loads: dict[str, tuple[float, np.ndarray]], seconds: float
) -> Report:
    middle = {name: [median(taken) for taken in rounds] for name, rounds in latencies.items()}
    slow = {name: float(np.quantile(np.concatenate(rounds), 0.99)) for name, rounds in latencies.items()}
    ratios = {
        name: median(a / b for a, b in zip(middle[name], middle[MLFLOW], strict=True)) for name in latencies
    }
    gain = loads[OURS][0] / loads[MLFLOW][0]
    rows = []
    for name in latencies:
        shown = f"{median(middle[name]) * 1e3:.2f} / {slow[name] * 1e3:.2f} ms"
        met = verdict(ratios[name], LATENCY) if name == OURS else ""
        rows.append([f"one client: {name}", shown, f"{ratios[name]:.2f}", met])
    for name, (rate, taken) in loads.items():
        low, high = np.quantile(taken, (0.5, 0.99)) * 1e3
        shown = f"{low:.1f} / {high:.1f} ms, {rate:.0f} a second, {len(taken)} answers, no error"
        times = f"{rate / loads[MLFLOW][0]:.2f} ×"
        rows.append(
            [f"{CLIENTS} clients: {name}", shown, times, verdict(THROUGHPUT, gain) if name == OURS else ""]
        )
    return Report(
        title="(c) one picture over HTTP: the bundle behind two servers",
        columns=[
            "side",
            "p50 / p99",
            "to MLflow's",
            f"target p50 ≤ {LATENCY}, throughput ≥ {THROUGHPUT:g} ×",
        ],
        rows=rows,
        notes=[
            "Both sides answered every picture alike (label; probability to 1e-4) before the clocks ran.",
            f"The clients run on the same cores. {seconds:g} s a side under load.",
        ],
        data={
            "latency_seconds": latencies,
            "ratios": ratios,
            "a_second": {name: rate for name, (rate, _) in loads.items()},
            "throughput_ratio": gain,
            "met": ratios[OURS] <= LATENCY and gain >= THROUGHPUT,
        },
    )


@contextmanager
def _ours(stock: shelf.Shelf) -> Iterator[int]:
    command = [sys.executable, "-c", "from convoy.cli import main; main()", "serve", "--model", shelf.BUNDLED]
    with _server(command, stock) as port:
        yield port


@contextmanager
def _mlflow(stock: shelf.Shelf) -> Iterator[int]:
    mlflow = Path(sys.executable).parent / "mlflow"
    command = [str(mlflow), "models", "serve", "-m", shelf.BUNDLED, "--env-manager", "local"]
    with _server([*command, "-h", "127.0.0.1"], stock) as port:
        yield port


@contextmanager
def _server(command: list[str], stock: shelf.Shelf) -> Iterator[int]:
    """A server process that answers /ping; its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = stock.root / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=stock.root, env=stock.environment, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait(port, process, log)
            yield port
        finally:
            _end(process)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            with urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.1)
    raise SystemExit(f"no server after a minute: {log.read_text('utf-8')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    import os
    import signal

    os.killpg(process.pid, signal.SIGTERM)  # MLflow's server is a child of its command
    process.wait(20)
