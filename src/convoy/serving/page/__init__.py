"""The page at `/`: one document without any other address in it, in English and Chinese."""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Page:
    content: str
    headers: dict[str, str]


def load() -> Page:
    """The document, and a policy under which a browser runs this script and this style and no other."""
    folder = resources.files(__package__)
    script, style = (folder.joinpath(name).read_text("utf-8") for name in ("script.js", "style.css"))
    content = folder.joinpath("index.html").read_text("utf-8")
    content = content.replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(content, {"content-security-policy": policy, "referrer-policy": "no-referrer"})


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
