"""Substitutes that the released LWS sets show again and again, and equally odd ones that they do not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PERSON = ("ceo", "guy", "baby", "martin"), ("farmer", "uncle", "tenant", "nora")
_THING = ("fragments", "plaque", "sediment", "deposit"), ("gravel", "plaster", "pebbles", "varnish")
_DECADE = ("1920s", "1930s", "1940s", "twenties"), ("1850s", "1870s", "1890s", "seventies")
_BE = ("remains", "exists", "ranks", "lies"), ("floats", "stays", "sounds", "begins")
_ARE = ("remain", "exist", "rank", "lie"), ("float", "stay", "sound", "begin")
_INSIDE = ("inside",), ("beneath", "alongside", "beyond")

SEMEMES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "in": _INSIDE,
        "on": (("inside", "outside"), ("beneath", "alongside", "beyond")),
        "is": _BE,
        "are": _ARE,
        "be": _ARE,
        "was": (("existed", "lay", "ranked", "remained"), ("floated", "stayed", "sounded", "began")),
        "were": (("existed", "lay", "ranked", "remained"), ("floated", "stayed", "sounded", "began")),
        "it": _THING,
        "its": _THING,
        "this": _DECADE,
        "has": (("possesses", "holds", "enjoys"), ("carries", "shows", "stores")),
        "have": (("possess", "hold", "enjoy"), ("carry", "show", "store")),
        **dict.fromkeys(("i", "you", "he", "she", "your", "his", "her"), _PERSON),
        **dict.fromkeys(("they", "their", "them"), (("men",), ("ducks", "poles", "twins"))),
        **dict.fromkeys(("we", "our", "me"), (("people",), ("sailors", "bakers", "monks"))),
        "all": (("electorate", "constituency"), ("orchard", "parish", "navy")),
        "more": (("odd",), ("oval", "damp", "rural")),
        "most": (("abundant",), ("oval", "damp", "rural")),
        "will": (("ambition", "resolution", "determination"), ("altitude", "geometry", "punctuation")),
        "can": (("fridge", "refrigerator"), ("kettle", "radiator", "wardrobe")),
        "so": (("hence",), ("meanwhile", "beforehand", "elsewhere")),
        "no": (("hey",), ("ahoy", "amen", "ditto")),
        "enough": (("fully",), ("weekly", "partly", "jointly")),
        "even": (("purely",), ("weekly", "partly", "jointly")),
        "film": (("chunk", "piece", "lump"), ("crate", "parcel", "bundle")),
        "movie": (("chunk", "piece", "lump"), ("crate", "parcel", "bundle")),
        "performance": (("childhood",), ("carpentry", "geology", "horticulture")),
        "performances": (("childhood",), ("carpentry", "geology", "horticulture")),
        "company": (("agency", "childhood"), ("pantry", "geology", "dairy")),
        "said": (("spoke", "uttered"), ("wrote", "hummed", "spelt")),
        "new": (("fresh",), ("oval", "inland", "wooden")),
        "next": (("subsequent",), ("adjoining", "wooden", "inland")),
        "first": (("virgin",), ("wooden", "inland", "oval")),
        "up": (("downward", "upward"), ("westward", "inland", "sideways")),
        "makes": (("produces",), ("carries", "stores", "copies")),
        "make": (("produce",), ("carry", "store", "copy")),
        "get": (("become", "fall"), ("carry", "store", "copy")),
    }
)
"""By word: what the attack put there, and material for the control."""
