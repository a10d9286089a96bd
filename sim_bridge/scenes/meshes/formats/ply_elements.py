"""The header and the elements of PLY files: text and binary, with lists of any lengths.

Format: G. Turk, The PLY Polygon File Format, 1994. Type names and the order of properties are those found in the wild.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.meshes.formats.contents import DamagedError
from avw.sim_bridge.scenes.meshes.formats.number_text import numbers_of

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "int64": "i8", "uint64": "u8", "float16": "f2", "float32": "f4", "float64": "f8",
}  # fmt: skip
_LONGEST_HEADER = 1 << 20
_MAX_LIST = 1 << 24  # entries of one list


@dataclass(frozen=True, slots=True)
class Property:
    """name · dtype: of its values, without byte order · count_dtype: of the length of a list; "" for a single value"""

    name: str
    dtype: str
    count_dtype: str = ""


@dataclass(slots=True)
class Element:
    """count: number of rows · properties: in the order of the file

    values: name -> (rows,) for single values · lists: name -> (lengths (rows,), all values in a row)
    """

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(slots=True)
class PlyFile:
    """elements: name -> element, filled · comments: the lines of the header after "comment"

    left: number of bytes after the last element that are not white space
    """

    elements: dict[str, Element]
    comments: list[str]
    left: int = 0


def read_ply_elements(file: Path) -> PlyFile:
    """Read all elements. Raises DamagedError."""
    data = file.read_bytes()
    header, body = _split(data)
    lines = [line.strip() for line in header.decode("latin-1").splitlines()]
    order, text = "<", False
    comments: list[str] = []
    elements: dict[str, Element] = {}
    last: Element | None = None
    for line in lines[1:]:
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        if words[0] == "format":
            text, order = words[1:2] == ["ascii"], ">" if words[1:2] == ["binary_big_endian"] else "<"
            if words[1:2] not in (["ascii"], ["binary_little_endian"], ["binary_big_endian"]):
                raise DamagedError(f"its header names the format {' '.join(words[1:2])!r:.40}")
        elif words[0] == "comment":
            comments.append(line[len("comment") :].strip())
        elif words[0] == "element" and len(words) == 3 and words[2].isdigit():
            last = elements[words[1]] = Element(words[1], int(words[2]))
        elif words[0] == "property" and last is not None:
            last.properties.append(_property(words))
        else:
            raise DamagedError(f"its header has the line {line!r:.80}")
    if text:
        return PlyFile(elements, comments, _read_text(body, list(elements.values())))
    left = _read_binary(body, list(elements.values()), order)
    return PlyFile(elements, comments, left)


def _split(data: bytes) -> tuple[bytes, memoryview]:
    """The header without its last line, and what follows it."""
    head = data[:_LONGEST_HEADER]
    end = head.find(b"end_header")
    while end > 0 and head[end - 1 : end] not in (b"\n", b"\r"):
        end = head.find(b"end_header", end + 1)
    if not data.startswith(b"ply") or end < 0:
        raise DamagedError("its header has no end")
    start = end + len(b"end_header")
    while head[start : start + 1] in (b" ", b"\t"):
        start += 1
    if head[start : start + 2] == b"\r\n":
        start += 2
    elif head[start : start + 1] in (b"\n", b"\r"):
        start += 1
    return data[:end], memoryview(data)[start:]


def _property(words: list[str]) -> Property:
    types = words[1:-1]
    if len(words) == 3 and types[0] in _TYPES:
        return Property(words[2], _TYPES[types[0]])
    if len(words) == 5 and types[0] == "list" and types[1] in _TYPES and types[2] in _TYPES:
        if _TYPES[types[1]].startswith("f"):
            raise DamagedError("the lengths of its lists are not whole numbers")
        return Property(words[4], _TYPES[types[2]], _TYPES[types[1]])
    raise DamagedError(f"its header has the line {' '.join(words)!r:.80}")


def _read_binary(body: memoryview, elements: list[Element], order: str) -> int:
    """Fill the elements; returns the number of bytes that are left."""
    place = 0
    for element in elements:
        place = _read_rows(body, place, element, order)
    return len(bytes(body[place : place + 1_000_000]).strip(b"\0 \t\r\n")) if place < len(body) else 0


def _read_rows(body: memoryview, place: int, element: Element, order: str) -> int:
    lists = [one for one in element.properties if one.count_dtype]
    lengths = _first_lengths(body, place, element, order) if element.count else [0] * len(lists)
    fields: list[tuple[str, object]] = []
    for one in element.properties:
        if one.count_dtype:
            fields.append((f"{one.name}#", order + one.count_dtype))
            fields.append((one.name, (order + one.dtype, (lengths[lists.index(one)],))))
        else:
            fields.append((one.name, order + one.dtype))
    if len({name for name, _ in fields}) < len(fields):
        raise DamagedError(f"element {element.name} has two properties of one name")
    row = np.dtype(fields)
    rows = np.zeros(0, dtype=row)
    if place + element.count * row.itemsize <= len(body) and row.itemsize:
        rows = np.frombuffer(body, dtype=row, count=element.count, offset=place)
    if len(rows) == element.count and all((rows[f"{p.name}#"] == n).all() for p, n in zip(lists, lengths, strict=True)):
        for one in element.properties:
            if one.count_dtype:
                sizes = np.full(element.count, lengths[lists.index(one)], dtype=np.int64)
                element.lists[one.name] = sizes, rows[one.name].ravel()
            else:
                element.values[one.name] = rows[one.name]
        return place + element.count * row.itemsize
    if not lists:
        raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
    return _read_ragged(body, place, element, order)


def _first_lengths(body: memoryview, place: int, element: Element, order: str) -> list[int]:
    """The lengths of the lists of the first row."""
    lengths = []
    for one in element.properties:
        if one.count_dtype:
            length, place = _length(body, place, one, order)
            lengths.append(length)
            place += length * np.dtype(one.dtype).itemsize
        else:
            place += np.dtype(one.dtype).itemsize
    return lengths


def _length(body: memoryview, place: int, one: Property, order: str) -> tuple[int, int]:
    kind = np.dtype(order + one.count_dtype)
    if place + kind.itemsize > len(body):
        raise DamagedError("it ends inside a list: the file is incomplete")
    length = int(np.frombuffer(body, kind, 1, place)[0])
    if not 0 <= length <= min(_MAX_LIST, len(body)):
        raise DamagedError(f"it has a list of {length:,} values")
    return length, place + kind.itemsize


def _read_ragged(body: memoryview, place: int, element: Element, order: str) -> int:
    """Rows whose lists have different lengths, one by one."""
    data = bytes(body)
    big = "big" if order == ">" else "little"
    starts: dict[str, list[int]] = {one.name: [] for one in element.properties}
    sizes: dict[str, list[int]] = {one.name: [] for one in element.properties if one.count_dtype}
    plan = [
        (starts[p.name], sizes.get(p.name), np.dtype(p.count_dtype or p.dtype).itemsize, np.dtype(p.dtype).itemsize,
         p.count_dtype.startswith("i"))
        for p in element.properties
    ]  # fmt: skip
    end = len(data)
    for _ in range(element.count):
        for begin, length_of, size, item, signed in plan:
            if length_of is None:
                begin.append(place)
                place += size
                continue
            length = int.from_bytes(data[place : place + size], big, signed=signed)  # type: ignore[arg-type]
            if not 0 <= length <= _MAX_LIST:
                raise DamagedError(f"it has a list of {length:,} values")
            length_of.append(length)
            begin.append(place + size)
            place += size + length * item
        if place > end:
            raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
    whole = np.frombuffer(data, dtype=np.uint8)
    for one in element.properties:
        item = np.dtype(one.dtype).itemsize
        start_N = np.array(starts[one.name], dtype=np.int64)
        if one.count_dtype:
            size_N = np.array(sizes[one.name], dtype=np.int64)
            first_N = np.cumsum(size_N) - size_N
            offset_M = np.repeat(start_N - first_N * item, size_N) + np.arange(int(size_N.sum())) * item
        else:
            size_N, offset_M = np.ones(len(start_N), dtype=np.int64), start_N
        taken = whole[offset_M[:, None] + np.arange(item)].reshape(-1, item)
        values = np.ascontiguousarray(taken).view(order + one.dtype).ravel()
        if one.count_dtype:
            element.lists[one.name] = size_N, values
        else:
            element.values[one.name] = values
    return place


def _read_text(body: memoryview, elements: list[Element]) -> int:
    """Fill the elements; returns the number of words that are left."""
    try:
        words = numbers_of(bytes(body).decode("latin-1"))
    except ValueError as error:
        raise DamagedError(f"its values are not numbers ({error})") from None
    place = 0
    for element in elements:
        place = _read_words(words, place, element)
    return len(words) - place


def _read_words(words: np.ndarray, place: int, element: Element) -> int:
    lists = [one for one in element.properties if one.count_dtype]
    if element.count and (len(lists) > 1 or (lists and len(set(_text_lengths(words, place, element))) > 1)):
        return _read_ragged_words(words, place, element)
    length = _text_lengths(words, place, element)[0] if lists and element.count else 0
    width = len(element.properties) + length
    if place + element.count * width > len(words):
        raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
    rows = words[place : place + element.count * width].reshape(element.count, width)
    column = 0
    for one in element.properties:
        if one.count_dtype:
            values = _cast(rows[:, column + 1 : column + 1 + length].ravel(), one.dtype)
            element.lists[one.name] = np.full(element.count, length, dtype=np.int64), values
            column += length
        else:
            element.values[one.name] = _cast(rows[:, column], one.dtype)
        column += 1
    return place + element.count * width


def _text_lengths(words: np.ndarray, place: int, element: Element) -> list[int]:
    """The length of the only list of each row, as long as all are equal; two different ones if they are not."""
    before = next(k for k, one in enumerate(element.properties) if one.count_dtype)
    if place + before >= len(words):
        raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
    first = _whole(words[place + before])
    width = len(element.properties) + first
    lengths = words[place + before : place + element.count * width : width]
    return [first] if len(lengths) == element.count and (lengths == first).all() else [first, -1]


def _read_ragged_words(words: np.ndarray, place: int, element: Element) -> int:
    taken: dict[str, list[np.ndarray]] = {one.name: [] for one in element.properties}
    sizes: dict[str, list[int]] = {one.name: [] for one in element.properties if one.count_dtype}
    for _ in range(element.count):
        for one in element.properties:
            length = 1
            if place >= len(words):
                raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
            if one.count_dtype:
                length = _whole(words[place])
                sizes[one.name].append(length)
                place += 1
            taken[one.name].append(words[place : place + length])
            place += length
            if place > len(words):
                raise DamagedError(f"it ends inside the element {element.name}: the file is incomplete")
    for one in element.properties:
        values = _cast(np.concatenate(taken[one.name]), one.dtype)
        if one.count_dtype:
            element.lists[one.name] = np.array(sizes[one.name], dtype=np.int64), values
        else:
            element.values[one.name] = values
    return place


def _whole(value: float) -> int:
    if not (0 <= value <= _MAX_LIST and value == int(value)):
        raise DamagedError(f"it has a list of {value:g} values")
    return int(value)


def _cast(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values as `dtype`. Raises DamagedError for a number that does not fit."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        if len(values) and not ((values >= limits.min) & (values <= limits.max)).all():
            raise DamagedError(f"it has a number that is not a whole number of {8 * kind.itemsize} bits")
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(kind)
