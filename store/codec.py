"""Frozen records to plain values that JSON can hold, and back.

`encode` follows the value, `decode` follows the type: dataclasses become objects, tuples lists, enums their values.
Numbers that JSON does not have (NaN, infinities) become the strings of `NON_FINITE`, and come back as floats in fields
of type float. A field that an older document lacks takes its default; a key that the record does not know is passed
over. Of a union the first member that fits is read. A record with a `from_text` is read from text too, as older
documents hold it.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Decoder = Callable[[Any], Any]

NON_FINITE = ("NaN", "Infinity", "-Infinity")


class EncodeError(TypeError):
    """A value that has no plain form; the message says where it stands."""


class DecodeError(ValueError):
    """A document that does not fit the record; the message says where."""


def encode(value: object) -> Any:
    """The value as None, bool, int, float, str, list and dict.

    Raises:
        EncodeError: it holds something that is no record, number, text, enum, mapping or sequence.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _encode_float(float(value))
    if isinstance(value, Mapping):
        return {_encode_key(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_record(value)
    raise EncodeError(f"a value of type {type(value).__name__} has no plain form")


def decode(kind: type[T], document: object) -> T:
    """The record of type `kind` that a document from `encode` describes.

    Raises:
        DecodeError: the document does not fit.
    """
    try:
        return cast(T, _decoder(cast(Hashable, kind))(document))
    except DecodeError as error:
        raise DecodeError(f"{getattr(kind, '__name__', kind)}{error}") from None


def _encode_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _encode_key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str):
        raise EncodeError(f"a mapping's key must be text, not {type(key).__name__}")
    return key


def _encode_record(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        try:
            plain[field.name] = encode(getattr(value, field.name))
        except EncodeError as error:
            raise EncodeError(f"{type(value).__name__}.{field.name}: {error}") from None
    return plain


def _wrong(expected: str, value: object) -> DecodeError:
    return DecodeError(f": expected {expected}, not {type(value).__name__}")


@cache
def _decoder(kind: Any) -> Decoder:
    """The function that reads values of a type; made once for each type, since documents hold thousands of them."""
    if kind is Any or kind is object:
        return _decode_plain
    if kind is None or kind is types.NoneType:
        return _decode_none
    if isinstance(kind, type) and kind in _SCALARS:
        return _SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Union or origin is types.UnionType:
        return _union_decoder(kind, arguments)
    if origin is Literal:
        return _literal_decoder(arguments)
    if isinstance(origin, type):
        return _container_decoder(kind, origin, arguments)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_decoder(kind)
    if dataclasses.is_dataclass(kind):
        return _record_decoder(kind)
    raise DecodeError(f": type {kind!r} cannot be read from a document")


def _decode_plain(value: Any) -> Any:
    """A value of unstated type: sequences come back as tuples, as records hold them."""
    if isinstance(value, list | tuple):
        return tuple(_decode_plain(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _decode_plain(item) for key, item in value.items()}
    return value


def _decode_none(value: Any) -> None:
    if value is not None:
        raise _wrong("null", value)


def _decode_str(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("text", value)
    return value


def _decode_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def _decode_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong("a whole number", value)
    return value


def _decode_float(value: Any) -> float:
    if isinstance(value, str) and value in NON_FINITE:
        return float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong("a number", value)
    return float(value)


_SCALARS: Mapping[type, Decoder] = types.MappingProxyType(
    {str: _decode_str, bool: _decode_bool, int: _decode_int, float: _decode_float}
)


def _union_decoder(kind: Any, members: tuple[Any, ...]) -> Decoder:
    optional = types.NoneType in members
    kinds = [member for member in members if member is not types.NoneType]
    readers = [_decoder(member) for member in kinds]
    records = all(dataclasses.is_dataclass(member) for member in kinds)

    def read(value: Any) -> Any:
        if value is None and optional:
            return None
        if len(readers) == 1:
            return readers[0](value)
        reasons = []
        for reader in readers:
            try:
                return reader(value)
            except DecodeError as error:
                reasons.append(error)
        # Of several records the first is the usual one: what does not fit it is what is wrong.
        raise reasons[0] if records else _wrong(str(kind), value)

    return read


def _literal_decoder(allowed: tuple[Any, ...]) -> Decoder:
    def read(value: Any) -> Any:
        if value not in allowed:
            raise DecodeError(f": {value!r} is none of {', '.join(map(repr, allowed))}")
        return value

    return read


def _enum_decoder(kind: type[Enum]) -> Decoder:
    def read(value: Any) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise DecodeError(f": {value!r} is no {kind.__name__}") from None

    return read


def _container_decoder(kind: Any, origin: type, arguments: tuple[Any, ...]) -> Decoder:
    if issubclass(origin, Mapping):
        return _mapping_decoder(_decoder(arguments[1]))
    if issubclass(origin, tuple) and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return _fixed_tuple_decoder([_decoder(argument) for argument in arguments])
    if issubclass(origin, Sequence):
        return _sequence_decoder(_decoder(arguments[0]), list if issubclass(origin, list) else tuple)
    raise DecodeError(f": type {kind!r} cannot be read from a document")


def _mapping_decoder(read_value: Decoder) -> Decoder:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong("an object", value)
        read_items = {}
        for key, item in value.items():
            try:
                read_items[key] = read_value(item)
            except DecodeError as error:
                raise DecodeError(f"[{key!r}]{error}") from None
        return read_items

    return read


def _sequence_decoder(read_item: Decoder, make: Callable[[list[Any]], Any]) -> Decoder:
    def read(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _wrong("a list", value)
        items = []
        for item in value:
            try:
                items.append(read_item(item))
            except DecodeError as error:
                raise DecodeError(f"[{len(items)}]{error}") from None
        return make(items)

    return read


def _fixed_tuple_decoder(readers: list[Decoder]) -> Decoder:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(readers):
            raise _wrong(f"a list of {len(readers)}", value)
        return tuple(reader(item) for reader, item in zip(readers, value, strict=True))

    return read


def _record_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    readers = [(field.name, _reader(hints[field.name], kind), _has_default(field)) for field in fields]
    from_text = getattr(kind, "from_text", None)

    def read(value: Any) -> Any:
        if from_text is not None and isinstance(value, str):
            try:
                return from_text(value)
            except ValueError as error:
                raise DecodeError(f": {error}") from None
        if not isinstance(value, Mapping):
            raise _wrong("an object", value)
        arguments = {}
        for name, reader, optional in readers:
            if name not in value:
                if optional:
                    continue
                raise DecodeError(f".{name}: is missing")
            try:
                arguments[name] = reader(value[name])
            except DecodeError as error:
                raise DecodeError(f".{name}{error}") from None
        return kind(**arguments)

    return read


def _reader(hint: Any, owner: Any) -> Decoder:
    """The decoder of a field; of one that holds records of the owner's own kind, made when it is first used."""
    return (lambda value: _decoder(hint)(value)) if owner in get_args(hint) else _decoder(hint)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
