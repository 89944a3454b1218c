"""Follows a pickle's opcodes on a stack of marks, and tells what it would import and call. Nothing is imported.

`pickletools` knows every opcode with its argument; what it cannot follow is told as not followed, since the
unpickler of C takes some arguments that it refuses, and by then may have called something.
"""

from __future__ import annotations

import io
import pickletools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from auditor.safety.pickles.imports import is_allowed, is_harmful

MOST_OPCODES = 5_000_000
MOST_ARGUMENT = 2**31
MOST_LINE = 100_000
SECONDS = 60.0
MOST_STREAMS = 10_000
LEGACY = 0x1950A86A20F9469CFC6C
"""What PyTorch's older format begins with: five pickles, and then the numbers as they are."""
LEGACY_PICKLES = 5

_TEXTS = frozenset(
    ["STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"]
)  # fmt: skip
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_COLLECTS = frozenset({"TUPLE", "LIST", "DICT", "FROZENSET"})
_INTO = frozenset({"APPENDS", "SETITEMS", "ADDITEMS"})
_TAKES = {"APPEND": 1, "SETITEM": 2, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_EXTENSIONS = frozenset({"EXT1", "EXT2", "EXT4"})
_NOTHING = frozenset({"PROTO", "FRAME"})


@dataclass(frozen=True)
class Import:
    """A name that a pickle imports, and where the opcode stands."""

    module: str
    name: str
    at: int

    @property
    def allowed(self) -> bool:
        return is_allowed(self.module, self.name)

    @property
    def harmful(self) -> bool:
        return is_harmful(self.module, self.name)

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Followed:
    """What was seen in one file of pickles, one after the other.

    Attributes:
        imports: in their order.
        odd: what no pickler writes (a computed import, a call of something that was not imported), with its place.
        stopped: why it could not be followed to its end; empty where it was.
        streams: how many pickles there were.
    """

    imports: list[Import] = field(default_factory=list)
    odd: list[tuple[int, str]] = field(default_factory=list)
    stopped: str = ""
    streams: int = 0


class _Bounded:
    """A file for `pickletools`, which reads arguments whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_ARGUMENT:
            raise ValueError(f"an argument of {size:,} bytes")
        return self._file.read(size)

    def readline(self) -> bytes:
        line = self._file.readline(MOST_LINE)
        if len(line) == MOST_LINE:
            raise ValueError(f"an argument of more than {MOST_LINE:,} bytes on a line")
        return line

    def tell(self) -> int:
        return self._file.tell()


_MARK, _OTHER = object(), object()


def follow(file: IO[bytes], *, whole: bool = True) -> Followed:
    """Follows the pickles of a seekable file, from where it stands to its end.

    Args:
        whole: whether all that follows must be pickles as well; where not, the first one counts.
    """
    seen = Followed()
    deadline = time.monotonic() + SECONDS
    numbers = False
    while seen.streams < MOST_STREAMS:
        begin = file.tell()
        if not file.read(1):
            return seen
        file.seek(begin)
        try:
            first = _one(file, seen, deadline)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, AttributeError) as error:
            seen.stopped = f"{'what follows its end' if seen.streams else 'it'} cannot be followed: {error}"[:300]
            return seen
        seen.streams += 1
        numbers = numbers or (seen.streams == 1 and first == LEGACY)
        if not whole or (numbers and seen.streams == LEGACY_PICKLES):
            return seen
    seen.stopped = f"it holds more than {MOST_STREAMS:,} pickles"
    return seen


def _one(file: IO[bytes], seen: Followed, deadline: float) -> Any:
    """Follows one pickle to its STOP; returns the first whole number in it, by which a format is told.

    Raises:
        ValueError: it is no pickle, or beyond its bounds; and what a malformed one raises.
    """
    machine = _Machine(seen)
    first = None
    for count, (opcode, argument, at) in enumerate(_opcodes(file)):
        if count > MOST_OPCODES or (count % 10_000 == 0 and time.monotonic() > deadline):
            raise ValueError(f"it has more than {count:,} steps")
        if first is None and isinstance(argument, int) and opcode.name not in _NOTHING:
            first = argument
        machine.step(opcode, argument, at or 0)
    return first


def _opcodes(file: IO[bytes]) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    bounded: Any = _Bounded(file)
    yield from pickletools.genops(bounded)


class _Machine:
    """The stack of one pickle: texts and imports as they are, everything else as a mark of itself."""

    def __init__(self, seen: Followed) -> None:
        self._seen = seen
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any, at: int) -> None:
        name, stack = opcode.name, self._stack
        if name in _TEXTS:
            stack.append(argument if isinstance(argument, str) else str(argument))
        elif name in _PUTS:
            self._memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in _GETS:
            stack.append(self._memo[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _COLLECTS:
            self._to_mark()
            stack.append(_OTHER)
        elif name in _INTO or name == "POP_MARK":
            self._to_mark()
        elif name in _TAKES:
            self._take(_TAKES[name])
            if name.startswith("TUPLE"):
                stack.append(_OTHER)
        elif name == "DUP":
            stack.append(stack[-1])
        elif name in _EXTENSIONS:
            self._odd(at, f"takes something from copyreg's table of extensions ({argument})")
            stack.append(_OTHER)
        elif name not in _NOTHING and not self._imports(name, argument, at):
            self._take(len(opcode.stack_before))
            stack.extend([_OTHER] * len(opcode.stack_after))

    def _imports(self, name: str, argument: Any, at: int) -> bool:
        """What imports or calls; whether the opcode is of this kind."""
        stack = self._stack
        if name == "GLOBAL":
            module, _, attribute = str(argument).partition(" ")
            stack.append(self._import(module, attribute, at))
        elif name == "STACK_GLOBAL":
            module, attribute = self._take(2)
            if isinstance(module, str) and isinstance(attribute, str):
                stack.append(self._import(module, attribute, at))
            else:
                self._odd(at, "imports a name that is computed as it is read")
                stack.append(_OTHER)
        elif name == "INST":
            module, _, attribute = str(argument).partition(" ")
            self._to_mark()
            self._import(module, attribute, at)
            stack.append(_OTHER)
        elif name == "OBJ":
            inside = self._to_mark()
            self._called(inside[0] if inside else None, at)
            stack.append(_OTHER)
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX"):
            self._called(self._take(3 if name == "NEWOBJ_EX" else 2)[0], at)
            stack.append(_OTHER)
        elif name == "BUILD":
            owner, _ = self._take(2)
            if isinstance(owner, Import):
                self._odd(at, f"changes {owner} itself, not an object of it")
            stack.append(owner)
        else:
            return False
        return True

    def _import(self, module: str, name: str, at: int) -> Import:
        found = Import(module, name, at)
        self._seen.imports.append(found)
        return found

    def _called(self, what: Any, at: int) -> None:
        if not isinstance(what, Import):
            self._odd(at, "calls something that it made itself")

    def _odd(self, at: int, what: str) -> None:
        self._seen.odd.append((at, what))

    def _take(self, count: int) -> list[Any]:
        if count == 0:
            return []
        if len(self._stack) < count or any(item is _MARK for item in self._stack[-count:]):
            raise ValueError("it takes more from its stack than lies there")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                inside = self._stack[place + 1 :]
                del self._stack[place:]
                return inside
        raise ValueError("it collects from a mark that is not there")


def follow_bytes(content: bytes, *, whole: bool = True) -> Followed:
    """As `follow`, of bytes."""
    return follow(io.BytesIO(content), whole=whole)
