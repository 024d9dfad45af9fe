"""Label Studio's references to pictures, and which file below the data folder each means; nothing is fetched.

    /data/upload/7/0a1b2c3d-cat.jpg                   uploaded; 8 hex digits and a dash precede the old name
    /data/local-files/?d=pictures/cat.jpg             local storage, below its document root
    s3://bucket/pictures/cat.jpg, gs://…, https://…   cloud storage and the web
    /tasks/1/presign/?fileuri=czM6Ly9…                the same, in Base64
    pictures/cat.jpg, C:\\pictures\\cat.jpg              paths

Meant is the file of that name; of several the one that shares most folders with the reference, counted from
the name backwards.
"""

import base64
import binascii
import re
from urllib.parse import parse_qs, unquote, urlsplit

from convoy.data.sources import _pictures

SIZES = ("original_width", "original_height", "image_rotation")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def parts(reference: str) -> list[str]:
    """The folders and the name that a reference ends with; none: it names no file (inline data, say)."""
    return _split(_path(reference.strip()))


def find(reference: object, pictures: _pictures.Pictures) -> tuple[str | None, str | None]:
    """The file that is meant, or the problem with the reference."""
    if not isinstance(reference, str) or not reference.strip():
        return None, "the task names no picture"
    wanted = parts(reference)
    if not wanted:
        return None, f"the reference {_short(reference)!r} names no file"
    found = pictures.ending(wanted)
    uploaded = _UPLOADED.fullmatch(wanted[-1])
    if not found and uploaded is not None and "/data/upload/" in reference:
        found = pictures.ending([*wanted[:-1], uploaded["name"]])
    if len(found) == 1:
        return found[0], None
    if not found:
        return None, f"no file called {wanted[-1]!r} lies below the data folder ({_short(reference)})"
    return None, _pictures.several(found)


def _path(reference: str) -> str:
    if reference.startswith("data:"):
        return ""
    if _SCHEME.match(reference) is None and not reference.startswith(("/data/", "/tasks/", "/projects/")):
        return reference
    try:
        url = urlsplit(reference)
        query = parse_qs(url.query)
    except ValueError:  # brackets in the place of a host
        return ""
    if "d" in query:
        return query["d"][0]
    if "fileuri" in query:
        packed = query["fileuri"][0]
        try:
            inner = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8")
        except (binascii.Error, ValueError):
            return ""
        return unquote(inner.partition("://")[2])
    # In the addresses of object stores `?` and `#` are parts of the name.
    return reference.partition("://")[2] if url.scheme not in ("", "http", "https") else unquote(url.path)


def _split(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _short(reference: str) -> str:
    return reference if len(reference) <= 100 else reference[:97] + "..."
