"""The formats of tables: names, file endings, media types, and how to tell them by their first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_processor.errors import UnknownFormat

SNIFFED_BYTES = 512


@dataclass(frozen=True)
class Format:
    """A format that tables are read from and written to. `text` ones can be compressed as a whole."""

    name: str
    media_type: str
    text: bool
    endings: tuple[str, ...]
    other_media_types: tuple[str, ...] = ()


FORMATS = {
    format_.name: format_
    for format_ in (
        Format("csv", "text/csv", True, ("csv",), ("application/csv",)),
        Format("tsv", "text/tab-separated-values", True, ("tsv", "tab")),
        Format("json", "application/json", True, ("json",)),
        Format(
            "jsonl",
            "application/x-ndjson",
            True,
            ("jsonl", "ndjson"),
            ("application/jsonl", "application/ndjson"),
        ),
        Format(
            "parquet", "application/vnd.apache.parquet", False, ("parquet", "pq"), ("application/x-parquet",)
        ),
        Format(
            "arrow",
            "application/vnd.apache.arrow.file",
            False,
            ("arrow", "feather", "ipc"),
            ("application/vnd.apache.arrow.stream",),
        ),
        Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", False, ("xlsx",)),
    )
}
_BY_ENDING = {ending: format_ for format_ in FORMATS.values() for ending in format_.endings}
_BY_MEDIA_TYPE = {
    media_type: format_
    for format_ in FORMATS.values()
    for media_type in (format_.media_type, *format_.other_media_types)
}
_COMPRESSION_ENDINGS = {"gz": "gzip", "zst": "zstd"}
_ENDING_OF = {"none": "", "gzip": ".gz", "zstd": ".zst"}
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"), (b"PK\x03\x04", "xlsx"))


@dataclass(frozen=True)
class Kind:
    """A format with a compression: `csv` and `gzip` is what ends in `.csv.gz`."""

    format: str
    compression: str = "none"

    @property
    def ending(self) -> str:
        return FORMATS[self.format].endings[0] + _ENDING_OF[self.compression]

    @property
    def media_type(self) -> str:
        compressed = {"gzip": "application/gzip", "zstd": "application/zstd"}
        return compressed.get(self.compression, FORMATS[self.format].media_type)


def kind_named(format_: str, compression: str = "none") -> Kind:
    """Raises UnknownFormat for a format that there is not, or that cannot be compressed so."""
    if format_ not in FORMATS or compression not in _ENDING_OF:
        raise UnknownFormat(f"There is no format {format_!r} with compression {compression!r}")
    if compression != "none" and not FORMATS[format_].text:
        raise UnknownFormat(f"{format_} compresses by itself; ask for compression none")
    return Kind(format_, compression)


def split_name(file_name: str) -> tuple[str, Kind] | None:
    """`sales.csv.gz` is `sales`, csv, gzip; None for a name that does not end like a table."""
    stem, _, ending = file_name.rpartition(".")
    compression = _COMPRESSION_ENDINGS.get(ending.lower(), "none")
    if compression != "none":
        stem, _, ending = stem.rpartition(".")
    format_ = _BY_ENDING.get(ending.lower())
    if format_ is None or not stem or (compression != "none" and not format_.text):
        return None
    return stem, Kind(format_.name, compression)


def tell(path: Path, *, wish: str = "", file_name: str = "", media_type: str = "") -> Kind:
    """The kind of a file: as said, or by its name, its media type, or its first bytes, in this order.

    Whether it is compressed is always told by its bytes. Raises UnknownFormat.
    """
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    compression = (
        "gzip" if head.startswith(b"\x1f\x8b") else "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else "none"
    )
    if wish:
        return kind_named(wish, compression)
    named = split_name(file_name)
    known = _BY_MEDIA_TYPE.get(media_type.partition(";")[0].strip().lower())
    if named:
        return kind_named(named[1].format, compression)
    if known and known.name != "json":  # JSON lines are often sent as JSON
        return kind_named(known.name, compression)
    if compression != "none":
        raise UnknownFormat("The format of a compressed file cannot be told from its bytes")
    return Kind(_by_bytes(head))


def _by_bytes(head: bytes) -> str:
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        first, newline, second = text.partition(b"\n")
        return (
            "jsonl"
            if newline and first.rstrip().endswith(b"}") and second.lstrip()[:1] in (b"{", b"")
            else "json"
        )
    if b"\0" in head:
        raise UnknownFormat("The format cannot be told from the file's name, type or first bytes")
    lines = head.split(b"\n", 1)[0]
    return "tsv" if b"\t" in lines and b"," not in lines else "csv"
