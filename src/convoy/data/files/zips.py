"""Zip archives, read in place: members stored or deflated, checksums compared.

Names without the UTF-8 flag are UTF-8 (macOS, Linux) or, if one of them is not, GB 18030 (Chinese Windows).
"""

import os
import stat
import struct
import zipfile
import zlib

from convoy.data.files._archive import MOST_MEMBERS, Archive, Index, Member

_LOCAL = struct.Struct("<4s5H3L2H")  # a member's own header, APPNOTE.TXT 4.3.7
_SIGNATURE = b"PK\x03\x04"
_UTF8, _ENCRYPTED = 0x800, 0x1 | 0x40 | 0x2000
_DOS, _UNIX = (0, 10, 14), 3  # systems that a name and its attributes may come from, APPNOTE.TXT 4.4.2
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Zip(Archive):
    """Members of a zip."""

    kind = "zip"

    def index(self) -> Index:
        try:
            with zipfile.ZipFile(self._path) as archive:
                members = archive.infolist()
        except zipfile.BadZipFile as error:
            raise self.damaged(f"the zip is damaged or truncated: {error}") from None
        except UnicodeDecodeError as error:
            raise self.damaged(f"the zip holds a name that is not UTF-8: {error.object!r}") from None
        except (NotImplementedError, struct.error, ValueError, EOFError) as error:
            raise self.damaged(f"the zip cannot be read: {error}") from None
        if len(members) > MOST_MEMBERS:
            raise self.damaged(f"the zip holds {len(members):,} members, more than {MOST_MEMBERS:,}")
        found = Index()
        names = self._decoded(members, found.notes)
        self._refuse(members, names)
        for name, member in zip(names, members, strict=True):
            if name.endswith("/"):
                found.folders.add(name.rstrip("/"))
            else:
                found.members[name] = Member(
                    member.header_offset,
                    member.file_size,
                    member.compress_size,
                    member.compress_type,
                    member.CRC,
                )
        return found

    def content(self, descriptor: int, name: str, member: Member) -> bytes:
        head = self.pread(descriptor, name, member.start, _LOCAL.size)
        signature, *_, name_length, extra_length = _LOCAL.unpack(head)
        if signature != _SIGNATURE:
            raise self.damaged(f"{name!r} is damaged: its header is not where the list of members says")
        start = member.start + _LOCAL.size + name_length + extra_length
        content = self.pread(descriptor, name, start, member.packed)
        if member.method == zipfile.ZIP_DEFLATED:
            content = self._inflated(content, name, member)
        if len(content) != member.size:
            raise self.damaged(f"{name!r} is damaged: it has not the {member.size:,} bytes that the zip says")
        if zlib.crc32(content) != member.crc:
            raise self.damaged(f"{name!r} is damaged: its checksum is another")
        return content

    def _inflated(self, packed: bytes, name: str, member: Member) -> bytes:
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = unpack.decompress(packed, member.size + 1)
        except zlib.error as error:
            raise self.damaged(f"{name!r} is damaged: {error}") from None
        if len(content) > member.size:
            raise self.damaged(f"{name!r} holds more than the {member.size:,} bytes that the zip says")
        return content

    def _decoded(self, members: list[zipfile.ZipInfo], notes: list[str]) -> list[str]:
        """The members' names, with slashes."""
        names = [member.orig_filename for member in members]
        plain = [number for number, member in enumerate(members) if not member.flag_bits & _UTF8]
        raw = [names[number].encode("cp437") for number in plain]  # as zipfile takes them for
        from_windows = any(members[number].create_system in _DOS for number in plain)
        decoded, encoding = self._unmarked(raw, from_windows)
        if encoding != "utf-8":
            notes.append(f"the zip does not say how its names are encoded: read as {encoding}")
        for number, name in zip(plain, decoded, strict=True):
            names[number] = name
        return [
            name.replace("\\", "/") if member.create_system in _DOS else name
            for name, member in zip(names, members, strict=True)
        ]

    def _unmarked(self, raw: list[bytes], from_windows: bool) -> tuple[list[str], str]:
        """Names without the UTF-8 flag, and their encoding.

        Windows writes its own one. Two bytes of GBK may be sound UTF-8 by chance, hardly ever three.
        """
        encodings = ["utf-8", "gb18030"]
        as_utf8 = _decoded_all(raw, "utf-8")
        if from_windows and as_utf8 and "\x7f" < max(map(max, filter(None, as_utf8)), default="") < "\u0800":
            encodings.reverse()
        for encoding in encodings:
            decoded = _decoded_all(raw, encoding)
            if decoded is not None:
                return decoded, encoding
        wrong = next(name for name in raw if _decoded_all([name], "utf-8") is None)
        raise self.damaged(f"the zip holds a name that is neither UTF-8 nor GB 18030: {wrong!r}")

    def _refuse(self, members: list[zipfile.ZipInfo], names: list[str]) -> None:
        encrypted, odd, packed = [], [], []
        for name, member in zip(names, members, strict=True):
            if member.flag_bits & _ENCRYPTED:
                encrypted.append(name)
            mode = member.external_attr >> 16 if member.create_system == _UNIX else 0
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                odd.append(name)
            if member.compress_type not in _METHODS:
                packed.append(name)
        if encrypted:
            raise self.refused(encrypted, "encrypted members", "make the archive again without a password")
        if odd:
            raise self.refused(odd, "links or devices", "make the archive again of plain files")
        if packed:
            raise self.refused(
                packed, "members that are neither stored nor deflated", "make the archive again with deflate"
            )
        if len(set(names)) < len(names):
            seen: set[str] = set()
            twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
            raise self.refused(twice, "several members of one name")
        self._refuse_overlaps(members, names)

    def _refuse_overlaps(self, members: list[zipfile.ZipInfo], names: list[str]) -> None:
        """Bombs give many members the same bytes (Fifield, "A better zip bomb", WOOT 2019)."""
        following = os.stat(self._path).st_size  # noqa: PTH116
        for number in sorted(range(len(members)), key=lambda n: -members[n].header_offset):
            member = members[number]
            if member.header_offset + _LOCAL.size + member.compress_size > following:
                raise self.refused([names[number]], "members that overlap")
            following = member.header_offset


def _decoded_all(raw: list[bytes], encoding: str) -> list[str] | None:
    """All names in an encoding; None if one is not in it."""
    try:
        return [name.decode(encoding) for name in raw]
    except UnicodeDecodeError:
        return None
