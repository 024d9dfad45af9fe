"""The server's routes. `guarded` is all of it: routes, limits, the page, the watch on the alias."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from importlib.metadata import version as package_version
from typing import Any, TypeVar

import cv2
import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from convoy.serving import invocations, metrics, page, schemas, uploads
from convoy.serving.limits import Guard, Hosts, Limits, Refused
from convoy.serving.model import BadPictures, Live, Served
from convoy.serving.source import Reference

T = TypeVar("T")
_STATUS = {"oversized": 413, "unknown": 415, "damaged": 422, "empty": 422}
_EXPLAINED = 4  # heat-maps under way or waiting
_REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.Refusal} for code in (400, 408, 413, 415, 422, 503)
}
_FILES = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}
_COLUMN = {"type": "array", "items": {"type": "string", "format": "byte"}}
_FRAMES = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "Exactly one of these, with pictures in base64 in the column `image`.",
                    "properties": {
                        "dataframe_split": {"type": "object"},
                        "dataframe_records": {"type": "array", "items": {"type": "object"}},
                        "instances": {"type": "array", "items": {}},
                        "inputs": {"anyOf": [_COLUMN, {"type": "object"}]},
                    },
                }
            },
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


def guarded(live: Live, counters: metrics.Metrics, limits: Limits, hosts: Hosts, token: str | None) -> Guard:
    """The application as a server runs it."""
    routes = build(live, counters, limits)
    known = [route.path for route in routes.routes if hasattr(route, "path")]
    return Guard(routes, limits=limits, hosts=hosts, token=token, metrics=counters, routes=known)


def build(live: Live, counters: metrics.Metrics, limits: Limits) -> FastAPI:
    """The routes alone."""

    @asynccontextmanager
    async def following(_: FastAPI) -> AsyncIterator[None]:
        live.start()
        yield
        await asyncio.to_thread(live.stop)

    app = FastAPI(
        title="convoy", version=package_version("convoy"), docs_url=None, redoc_url=None, lifespan=following
    )
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ClientDisconnect, lambda *_: Response(status_code=400))
    app.add_exception_handler(HTTPException, _plain_refusal)
    app.add_exception_handler(RequestValidationError, _plain_refusal)
    _add_predictions(app, live, limits)
    _add_facts(app, live, counters)
    return app


def _add_predictions(app: FastAPI, live: Live, limits: Limits) -> None:
    explaining = 0

    @app.post("/predict", response_model=schemas.Answers, responses=_REFUSALS, openapi_extra=_FILES)
    async def predict(request: Request, heatmap: bool = False) -> Response:
        """Classify one or several pictures; all or, when one cannot be decoded, none."""
        nonlocal explaining
        files = await uploads.read(request.headers.get("content-type", ""), request.stream(), limits.pictures)
        contents, names = [bytes(file.content) for file in files], [file.name for file in files]
        if heatmap and len(files) > 1:
            raise Refused(422, "a heat-map is made of one picture at a time")
        served = live.current
        if heatmap and served.predictor.input.column != "image":
            raise Refused(422, "heat-maps are made of pictures alone")
        if heatmap and not served.predictor.output.classes:
            raise Refused(422, "heat-maps show what speaks for a class, and this model answers with none")
        rows = await _classified(live, served, contents, names, limits)
        answers = [_answer(served, name, row) for name, row in zip(names, rows, strict=True)]
        if heatmap:
            if explaining >= _EXPLAINED:
                raise Refused(503, f"{_EXPLAINED} heat-maps are under way; try again")
            explaining += 1
            try:
                image, heat = await _within(limits, live.explainer.submit(served.explain, contents[0]))
            finally:
                explaining -= 1
            answers[0] |= {"prepared": _png(image), "heatmap": _png(np.rint(heat * 255).astype(np.uint8))}
        return _json({"model": _model(served.reference), "predictions": answers})

    @app.post("/invocations", response_model=schemas.Invocation, responses=_REFUSALS, openapi_extra=_FRAMES)
    async def invoke(request: Request) -> Response:
        """What MLflow's clients send and get: `mlflow models serve` answers the same."""
        kind = request.headers.get("content-type", "")
        served = live.current
        contents = invocations.read(kind, await request.body(), limits.pictures, served.predictor.input)
        try:
            rows = await _classified(live, served, contents, None, limits)
        except Refused as refused:
            refused.status = 422 if refused.status == 415 else refused.status  # the body's type was right
            raise
        return _json({"predictions": [served.predictor.output.row(row) for row in rows]})


def _add_facts(app: FastAPI, live: Live, counters: metrics.Metrics) -> None:
    html = page.load()

    @app.get("/", include_in_schema=False)
    async def show() -> Response:
        return Response(html.content, media_type="text/html", headers=html.headers)

    @app.get("/ping", response_class=Response)
    async def ping() -> Response:
        """200 while the server runs, with no content."""
        return Response("\n", media_type="text/plain")

    @app.get("/health", response_model=schemas.Health)
    async def health() -> Response:
        """Which model answers, and whether a newer one could not be taken."""
        problem = live.problem
        return _json(
            {
                "status": "degraded" if problem else "ok",
                "problem": problem,
                "model": _model(live.current.reference),
                "takes": _takes(live.current),
            }
        )

    @app.get("/version", response_model=schemas.Version)
    async def version() -> Response:
        """Of this server, and its model."""
        served = live.current
        return _json(
            {
                "convoy": app.version,
                "model": _model(served.reference),
                "classes": served.predictor.classes,
            }
        )

    @app.get("/metrics", response_class=Response)
    async def show_metrics() -> Response:
        """Prometheus' text format."""
        return Response(counters.text(), headers={"content-type": metrics.CONTENT_TYPE})


async def _classified(
    live: Live, served: Served, contents: Sequence[bytes], names: Sequence[str] | None, limits: Limits
) -> NDArray[np.float64]:
    """(n, classes).

    Raises:
        Refused: a picture cannot be decoded, or there is no answer in time.
    """
    answer: Future[NDArray[np.float64]] = Future()
    live.pool.submit(served.classify, contents, answer)
    try:
        return await _within(limits, answer)
    except BadPictures as bad:
        problems = [
            {"index": p.index, "file": names[p.index] if names else None, "reason": p.reason}
            for p in bad.problems
        ]
        first = bad.problems[0]
        raise Refused(
            _STATUS[first.kind],
            f"{len(problems)} of {len(contents)} pictures cannot be read: {first.reason}",
            problems,
        ) from None


async def _within(limits: Limits, answer: "Future[T]") -> T:
    try:
        async with asyncio.timeout(limits.answer):
            return await asyncio.wrap_future(answer)
    except TimeoutError:
        raise Refused(503, f"no answer within {limits.answer:g} s; try again") from None


def _answer(served: Served, name: str, row: NDArray[np.float64]) -> dict[str, Any]:
    return {"file": name, **served.predictor.output.served(row)}


def _takes(served: Served) -> dict[str, Any]:
    given, said = served.predictor.input, served.predictor.output
    return {"column": given.column, "columns": getattr(given, "kinds", {}), "classes": said.classes}


def _model(reference: Reference) -> dict[str, str]:
    return {"name": reference.name, "version": reference.version, "digest": reference.digest}


def _png(image: NDArray[np.uint8]) -> str:
    """(H, W) or (H, W, C) RGB or grey as a data URL."""
    pixels = image[:, :, ::-1] if image.ndim == 3 and image.shape[2] == 3 else image
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels))
    assert done
    return f"data:image/png;base64,{base64.b64encode(content.tobytes()).decode('ascii')}"


def _json(content: Any) -> Response:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(), media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    response = Response(error.body(), error.status)
    response.raw_headers = error.headers()
    return response


async def _plain_refusal(request: Request, error: Exception) -> Response:
    """FastAPI's and Starlette's own refusals, in the form of ours."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return await _refused(request, Refused(422, f"{where}: {first['msg']}"))
    assert isinstance(error, HTTPException)
    response = await _refused(request, Refused(error.status_code, str(error.detail)))
    response.raw_headers += [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()]
    return response
