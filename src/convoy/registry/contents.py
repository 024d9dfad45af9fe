"""What is inside a bundle, for those who only read it: no torch, no MLflow."""

from pathlib import Path
from typing import Any

from convoy.errors import IntegrityError
from convoy.io import read_json, sha256_bytes, sha256_file
from convoy.serving.predictor import FORMAT

FILES = (
    "bundle.json", "model.onnx", "model.safetensors", "model_card.md", "samples.parquet", "requirements.txt",
    "golden/golden.json", "code/predictor.py", "code/pixels.py", "code/pyfunc.py",
)  # fmt: skip


def info(bundle: Path) -> dict[str, Any]:
    """The content of bundle.json of a complete bundle.

    Raises:
        IntegrityError: a file is missing, or the bundle is of another format.
    """
    missing = [name for name in FILES if not (bundle / name).is_file()]
    if missing:
        raise IntegrityError(
            f"the bundle is not complete: {', '.join(missing)} missing",
            where=str(bundle),
            fix="run `convoy run`, or `dvc repro package`",
        )
    found = read_json(bundle / "bundle.json")
    if found.get("version") != FORMAT:
        raise IntegrityError(
            f"the bundle is of format {found.get('version')}, this convoy reads {FORMAT}", where=str(bundle)
        )
    return dict(found)


def digest(bundle: Path) -> str:
    """The bundle's name: io.sha256_tree of its files, without the bytecode that running its code leaves."""
    lines = [
        f"{sha256_file(path)}  {path.relative_to(bundle).as_posix()}\n"
        for path in sorted(bundle.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return sha256_bytes("".join(lines).encode("utf-8"))
