"""`convoy serve`: a model behind HTTP, on this machine. Needs the extra `serve`, and no torch."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    model: Annotated[
        str | None,
        typer.Option(help="models:/NAME@ALIAS, models:/NAME/VERSION, or a folder (default: the champion)."),
    ] = None,
    host: Annotated[str, typer.Option(help="Others than loopback need --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Of onnxruntime, for one batch.")] = 1,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the secret that requests must bear.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="One more name that this server answers to, as behind a proxy.")
    ] = None,
    max_mib: Annotated[int, typer.Option(min=1, max=1024, help="Largest request.")] = 16,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between looks at the alias.")] = 5.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep answers and measures, not pictures, for `convoy monitor`.")
    ] = False,
) -> None:
    """Answer at http://127.0.0.1:8000 with a page, /predict, /invocations, /health and /metrics.

    When the alias moves, the new model is loaded beside the old one and takes over between two requests.
    SIGTERM and Ctrl-C let answers under way finish; the exit code is then 143 or 130.
    """
    _require_packages()
    from convoy import environment
    from convoy.cli import _models
    from convoy.serving import listen
    from convoy.serving.app import guarded
    from convoy.serving.limits import Hosts, Limits
    from convoy.serving.metrics import Metrics
    from convoy.serving.model import Live

    environment.quiet()
    token = listen.read_token(host, token_file)
    with listen.bind(host, port) as sock, _models.keeping() if keep else nullcontext() as keeper:
        metrics = Metrics()
        live = Live(_models.source(model), metrics, threads=threads, interval=poll, keeper=keeper)
        limits = Limits(body=max_mib << 20, held=max(256, 4 * max_mib) << 20)
        hosts = Hosts(host, allowed_host or ())
        application = guarded(live, metrics, limits, hosts, token)
        typer.echo(f"{live.current.reference} at {listen.address(sock)} (Ctrl-C stops)", err=True)
        listen.serve(application, sock)


def _require_packages() -> None:
    from importlib.util import find_spec

    from convoy.errors import ResourceError

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ResourceError(
            f"packages for serving are missing: {', '.join(missing)}", fix='pip install "convoy[serve]"'
        )
