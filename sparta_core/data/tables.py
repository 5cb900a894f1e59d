"""Tables as people write them: text between commas, semicolons, tabs, bars or spaces, and Parquet, as DataFrames."""

import csv
import io
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sparta_core.errors import DataError, one_line

TABLES = (".csv", ".tsv", ".txt", ".dat", ".parquet")  # what files of tables are called
PARQUET, ZIP = b"PAR1", b"PK"  # how they begin; workbooks of spreadsheets are archives
SEARCHED = 200  # lines, for the header
BETWEEN = ",;\t| "
SPACES = re.compile(r'[^\S\r\n]+(?=(?:[^"]*"[^"]*")*[^"]*$)')  # that stand in no quotes
REMEDY = "give a CSV with the columns lat and lon"
IsHeader = Callable[[Sequence[str]], bool]


class Header(NamedTuple):
    """What lies between the columns of a text, and the line that names them, counted from 1."""

    between: str
    line: int
    commented: bool  # whether a # stands before it


def read_table(path: str | os.PathLike[str], is_header: IsHeader) -> pd.DataFrame:
    """Read a table from a file; what stands before its header is left out.

    Args:
        path: of Parquet, or of text in UTF-8, UTF-16 or Latin 1 as spreadsheets and loggers write it.
        is_header: says whether the values of a row name the columns.

    Returns:
        Of Parquet its columns as they are. Of text all as text, less rows without a value and comments, which begin
        with #; its index is the lines that rows begin in.

    Raises:
        DataError: the file cannot be read, or a row has more or fewer values than the header.
    """
    where = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(where, error) from error
    if content.startswith(PARQUET):
        return _of_parquet(content, where)
    try:
        if content.startswith(ZIP):
            raise ValueError("it is a workbook or another archive, no text")
        lines = list(io.StringIO(_decoded(content), newline=""))
        header = _header(lines, is_header)
        rows = dict(_rows(lines, header.between, header.line, strict=True))
    except (ValueError, csv.Error) as error:
        raise _unreadable(where, error) from error
    names = [" ".join(name.split()) for name in rows.pop(header.line, [])]
    if not names:
        raise _unreadable(where, ValueError("it is empty"))
    if header.commented:
        names[0] = names[0].lstrip("# ")
    rows = {line: row for line, row in rows.items() if _counts(row)}
    for line, row in rows.items():
        while len(row) > len(names) and not row[-1].strip():
            row.pop()  # a separator at the end of each row
        if len(row) != len(names):
            raise DataError(f"line {line} of {where} has {len(row)} values, its header {len(names)} columns; "
                            "write one for each")
    return pd.DataFrame([*rows.values()], pd.Index([*rows], name="line"), names, str)


def _header(lines: Sequence[str], is_header: IsHeader) -> Header:
    """The first row that names the columns and is as long as the row below it, or else is not, or else any."""
    found = []
    for between in BETWEEN:
        rows = [(line, row) for line, row in _rows(lines[:SEARCHED], between, 1) if any(map(str.strip, row))]
        for place, (line, row) in enumerate(rows):
            commented = not _counts(row)
            if is_header([row[0].lstrip("# "), *row[1:]]):
                below = next((other for _, other in rows[place + 1 :] if _counts(other)), row)
                found.append((len(_trimmed(below)) > len(row), len(below) < len(row), Header(between, line, commented)))
    if found:
        return min(found, key=lambda each: each[:2])[2]
    first = next((number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")), 1)
    return Header(max(",;\t", key=lines[first - 1].count) if lines else ",", first, False)


def _rows(lines: Sequence[str], between: str, first: int, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The values of the lines from the `first` one on, each row with the line that it begins in."""
    chosen = lines[first - 1 :]
    if between == " ":
        chosen, between = [SPACES.sub("\t", line.strip()) for line in chosen], "\t"
    reader = csv.reader(chosen, delimiter=between, skipinitialspace=between != "\t", strict=strict)
    begin = first
    for row in reader:
        if row:
            yield begin, row
        begin = first + reader.line_num


def _counts(row: Sequence[str]) -> bool:
    """Whether it has a value and is no comment."""
    return any(map(str.strip, row)) and not row[0].lstrip().startswith("#")


def _trimmed(row: Sequence[str]) -> list[str]:
    return ",".join(value.strip().replace(",", " ") for value in row).rstrip(",").split(",")


def _of_parquet(content: bytes, where: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise DataError(f"{where} is Parquet, which pyarrow reads; install sparta-core[parquet], or give a CSV"
                        ) from error  # fmt: skip
    except Exception as error:  # of pyarrow's, which need not be installed, and are many
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> DataError:
    return DataError(f"cannot read the stations in {where} ({one_line(error)}); {REMEDY}")


def _decoded(content: bytes) -> str:
    """Decode what spreadsheets write: UTF-8 and UTF-16, with their marks or without, else Latin 1."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    halves = content[::2], content[1::2]
    for half, encoding in zip(halves, ("utf-16-be", "utf-16-le"), strict=True):
        if half.count(0) > len(half) // 2:  # of every character the half that letters do not need
            return content.decode(encoding)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
