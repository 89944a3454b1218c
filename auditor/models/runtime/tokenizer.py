"""A model's tokenizer, from verified bytes: what it counts and reads, and whether it is the one in tokenizer.json.

transformers builds many tokenizers anew from their class and takes only a part of tokenizer.json, while servers that
use the `tokenizers` library take that file as it is. Where both read other tokens, only one of them was scanned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.models.files.adapter import speaks
from auditor.models.files.fingerprint import VOCABULARIES, has_tokenizer
from auditor.models.files.gguf.profile import is_gguf
from auditor.models.files.untrusted import read_json
from auditor.models.runtime.gguf import gguf_tokenizer, private_gguf
from auditor.models.runtime.packing import fill_of
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.verified import small_files, unloadable
from auditor.models.runtime.vocabularies import BESIDE, other_numbers
from probes.input import Input, Text
from store.records import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILE = "tokenizer.json"
SENTENCEPIECE_FILES = (
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model", "spm_char.model",
    "source.spm", "target.spm", "prophetnet.tokenizer",
)  # fmt: skip
SENTENCEPIECE_PACKAGES = {"sentencepiece": "sentencepiece", "protobuf": "google.protobuf"}
"""By the name that installs it, the module of each package that reads them."""
SETTINGS = "tokenizer_config.json"
CHARACTER_TOKENIZERS = frozenset({"CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer"})

FIXED = (
    "The film was good, and nobody minded.",
    "A GOOD Film by McKay, on DVD",
    "naïve café, Ünïcode, Łódź, İstanbul, coöperate",
    "In 2023 it made 1,234,567.89 at 10:45 on 31/12/1999",
    "don't, won't, it's!! (really?) … e.g. \"quoted\" #tag @name a_b x-y 50% $5 <br />",
    "這部電影非常好看。とても良い映画です。정말 좋은 영화",
    "что хорошо, то хорошо; καλή ταινία; فيلم جيد",
    "great 😀👍🏽 fun 🇫🇷",
    "  two  spaces\tand a tab\nand a line ",
    "½ ﬁne Ｆｕｌｌ ™ e\u0301 zero\u200bwidth",
    "https://example.org/a?b=1&c=2 me@example.org",
    "unbelievableness antidisestablishmentarianism",
)
"""Texts of the kinds that tokenizers treat in different ways: case, accents, digits, marks, scripts, emoji, spaces."""

# What of a definition has no part in the tokens that a text becomes.
_PASSING = ("version", "truncation", "padding", "decoder")

Ids = tuple[int, ...] | None


@dataclass(frozen=True)
class Unlike:
    """Texts of which the tokenizer that was loaded and tokenizer.json make other tokens.

    `fixed` and `asked` are (differing, compared) counts: of texts that test tokenizers, and of what the model is asked.
    `example` is one such text, with the tokens that each makes of it; `broken` says why the file cannot be read at all.
    """

    loaded: str
    fixed: tuple[int, int] = (0, 0)
    asked: tuple[int, int] = (0, 0)
    example: tuple[str, str, str] = ("", "", "")
    broken: str = ""

    def sentence(self, model: str) -> str:
        """What is not judged, and what to do."""
        what = (
            f"what servers that take {FILE} itself would answer was not judged. Save the tokenizer again in the "
            "version of transformers that serves the model; or, if the file is what serves it, set tokenizer_class in "
            'tokenizer_config.json to "PreTrainedTokenizerFast", which most types of model heed; then scan again'
        )
        if self.broken:
            return f"{model}: {self.loaded} was used; {FILE} by itself cannot be read ({self.broken}): {what}"
        text, own, other = self.example
        return (
            f"{model}: {self.loaded} was used, and makes other tokens than {FILE}: of {self.fixed[1]} fixed texts "
            f"{self.fixed[0]} differ, of {self.asked[1]} texts that were asked {self.asked[0]}. {text!r} is read as "
            f"{own}, by the file as {other}; {what}"
        )


@dataclass(frozen=True)
class Padding:
    """The token that fills a batch: its id (None: there is none), its text, what states it, and the side."""

    token: int | None
    text: str
    stated_by: str
    side: str

    def words(self) -> str:
        """As a report says it."""
        if self.token is None:
            return "none: only texts of one length are asked together"
        where = f"the tokenizer puts it on the {self.side}"
        return f"{self.text} (id {self.token}), stated by {self.stated_by}; {where}"


class ModelTokenizer:
    """A tokenizer of transformers as loaded.

    Args:
        own: it.
        name: of the model.
        source: the file that the vocabulary is from.
        files: what the model has of tokenizer.json, vocab.txt and vocab.json, by name.
        padding: as it is used.
    """

    def __init__(
        self, own: PreTrainedTokenizerBase, *, name: str, source: str, files: Mapping[str, bytes], padding: Padding
    ) -> None:
        self._own = own
        self._name = name
        self._source = source
        self._file = files.get(FILE)
        self._beside = {name: files[name] for name in BESIDE if name in files and FILE in files}
        self._same: bool | None = None
        self.padding = padding

    @property
    def loaded(self) -> str:
        """The class that was loaded and the file that its vocabulary is from."""
        return f"{type(self._own).__name__} of transformers, its vocabulary from {self._source}"

    def special(self, asks: Sequence[Input]) -> str:
        """What becomes of special tokens that stand in the texts, in a sentence; empty where none does."""
        known = [token for token in self._own.all_special_tokens if token]
        texts = [text for ask in asks for text in (ask.text, ask.second or "")]
        found = [token for token in known if any(token in text for text in texts)]
        if not found:
            return ""
        named = ", ".join(map(repr, found))
        if getattr(self._own, "split_special_tokens", False):
            return f"Texts hold special tokens ({named}): the tokenizer splits them, as any other text."
        return (
            f"Texts hold special tokens ({named}): the tokenizer does not split them, and the model takes them as such."
        )

    def count(self, asks: Sequence[Input]) -> list[int]:
        """Tokens of each input, special ones included; 0 where the tokenizer fails on it."""
        return [len(ids or ()) for ids in self.ids(asks)]

    def ids(self, asks: Sequence[Input]) -> list[Ids]:
        """Token ids of each input, special ones included and uncut; None where the tokenizer fails on it."""
        found: list[Ids] = [None] * len(asks)
        with quiet():
            for paired in (False, True):
                chosen = [i for i, ask in enumerate(asks) if (ask.second is not None) == paired]
                for place, ids in zip(chosen, self._encoded([asks[i] for i in chosen]), strict=True):
                    found[place] = ids
        return found

    def _encoded(self, asks: list[Input]) -> list[Ids]:
        """Ids of inputs that all have a second text, or all have none."""
        if not asks:
            return []
        try:
            pairs = None if asks[0].second is None else [ask.second or "" for ask in asks]
            rows = self._own(
                [ask.text for ask in asks], pairs, truncation=False, padding=False, return_attention_mask=False
            )["input_ids"]
            return [tuple(row) for row in rows]
        except Exception:
            # tokenizers raise plain exceptions on a text that they cannot take: the others are read all the same.
            return [None] if len(asks) == 1 else [ids for ask in asks for ids in self._encoded([ask])]

    def unjudged(self, asks: Sequence[Input]) -> tuple[str, ...]:
        """What scanning with this tokenizer leaves unjudged: tokenizers that others may read the model's files as.

        Args:
            asks: what the model is asked.
        """
        unlike = self.unlike(asks)
        found = () if unlike is None else (unlike.sentence(self._name),)
        return (*found, *(f"{self._name}: {said}" for said in other_numbers(self._beside, self._own.get_vocab())))

    def unlike(self, asks: Sequence[Input]) -> Unlike | None:
        """Where tokenizer.json, read by the `tokenizers` library, makes other tokens: of fixed texts and of `asks`.

        None where both are defined alike, where no text shows a difference, and where there is no such file.
        """
        if self._file is None or self._same:
            return None
        from tokenizers import Tokenizer

        try:
            other = Tokenizer.from_str(self._file.decode())
        except Exception as error:
            return Unlike(self.loaded, broken=(str(error).strip() or type(error).__name__).splitlines()[0])
        self._same = self._defined_as(other)
        if self._same:
            return None
        other.no_truncation()
        other.no_padding()
        fixed = [Text(text) for text in FIXED]
        counts, example = [], ("", "", "")
        # An example from what was asked says more than one of the fixed texts.
        for texts in (list(asks), fixed):
            differing = [
                (ask, own, theirs)
                for ask, own, theirs in zip(texts, self.ids(texts), _ids_of(other, texts), strict=True)
                if own != theirs
            ]
            counts.append((len(differing), len(texts)))
            if differing and not example[0]:
                ask, own, theirs = min(differing, key=lambda d: (len(d[0].text), d[0].text))
                example = (_excerpt(ask.text), self._tokens(own), _tokens(other, theirs))
        if not any(differing for differing, _ in counts):
            return None
        return Unlike(self.loaded, fixed=counts[1], asked=counts[0], example=example)

    def _defined_as(self, other: Any) -> bool:
        """Whether a tokenizer of the `tokenizers` library is defined as the one that was loaded."""
        backend = getattr(self._own, "backend_tokenizer", None)
        if backend is None or getattr(self._own, "split_special_tokens", False):
            return False
        own, theirs = (json.loads(t.to_str()) for t in (backend, other))
        return all(own.get(key) == theirs.get(key) for key in {*own, *theirs} - set(_PASSING))

    def _tokens(self, ids: Ids) -> str:
        if ids is None:
            return "nothing (it fails)"
        return _listed([str(t) for t in self._own.convert_ids_to_tokens(list(ids))])


def load_tokenizer(profile: Profile) -> ModelTokenizer:
    """A profiled model's tokenizer.

    Raises:
        ModelError: there is none, its files changed since, or it cannot be loaded.
    """
    name = profile.ref.reference
    require_tokenizer(profile)
    if is_gguf(profile):
        with quiet(), private_gguf(profile, whole=False) as private:
            own = gguf_tokenizer(private, name)
            padding = _padding(private.parent, own, gguf_file=private.name)
            return ModelTokenizer(own, name=name, source=private.name, files={}, padding=padding)
    with quiet(), small_files(profile) as private:
        own = tokenizer_in(private, name)
        files = {n: (private / n).read_bytes() for n in (FILE, *BESIDE) if (private / n).is_file()}
        return ModelTokenizer(
            own,
            name=name,
            source=_source(profile),
            files=files,
            padding=_padding(private, own),
        )


def require_tokenizer(profile: Profile) -> None:
    """Raises:
    ModelError: no vocabulary is among the model's files.
    """
    if is_gguf(profile) and profile.tokenizer_digest:
        return
    if not has_tokenizer(speaks(profile).files) and not _reads_characters(profile):
        name = profile.ref.reference
        raise ModelError(f"{name} has no tokenizer: {profile.ref.path}", hint="Save the tokenizer beside the model.")


def tokenizer_in(directory: Path, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a directory of verified files, as transformers makes it; no code of the model's is run.

    Raises:
        ModelError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise _sentencepiece(directory, name) or unloadable(
            name, "its tokenizer cannot be read", error, str(directory)
        ) from error
    return found


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        # Not even the package that it is a part of.
        return False


def _sentencepiece(directory: Path, name: str) -> ModelError | None:
    """Says so where a tokenizer could not be read for want of SentencePiece, whatever transformers makes of that."""
    files = [file for file in SENTENCEPIECE_FILES if (directory / file).is_file()]
    missing = [package for package, module in SENTENCEPIECE_PACKAGES.items() if not _is_there(module)]
    if not files or not missing or (directory / FILE).is_file():
        return None
    return ModelError(
        f"{name}: its tokenizer is in SentencePiece's format ({files[0]}), which takes the packages "
        f"{' and '.join(SENTENCEPIECE_PACKAGES)}; here {' and '.join(missing)} is missing",
        hint="Install them: pip install 'auditor[sentencepiece]'",
    )


def _reads_characters(profile: Profile) -> bool:
    """Whether the tokenizer reads characters or bytes, so that it has no vocabulary to be stored."""
    owner = speaks(profile)
    path = Path(owner.ref.path) / SETTINGS
    return SETTINGS in owner.files and read_json(path).get("tokenizer_class") in CHARACTER_TOKENIZERS


def _padding(directory: Path, tokenizer: PreTrainedTokenizerBase, **more: Any) -> Padding:
    """The pad token as the classifier takes it: the one that the config states, else the tokenizer's."""
    from transformers import AutoConfig

    stated = vocabulary = None
    # A config that cannot be read is the loader's to refuse.
    with suppress(Exception):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False, local_files_only=True, **more)
        stated = config.get_text_config().pad_token_id
        vocabulary = getattr(config.get_text_config(), "vocab_size", None)
    fill = fill_of(stated, tokenizer, vocabulary)
    text = None
    if fill.token is not None:
        with suppress(Exception):
            text = tokenizer.convert_ids_to_tokens(fill.token)
    return Padding(
        fill.token, repr(text) if text else "a token without a text", fill.stated_by, str(tokenizer.padding_side)
    )


def _source(profile: Profile) -> str:
    files = speaks(profile).files
    found = [n for n in VOCABULARIES if n in files] or [n for n in files if n.endswith(".tiktoken")]
    return FILE if FILE in found else " and ".join(found[:2]) or "no file"


def _ids_of(tokenizer: Any, asks: Sequence[Input]) -> list[Ids]:
    def encoded(chosen: list[Input]) -> list[Ids]:
        try:
            inputs = [ask.text if ask.second is None else (ask.text, ask.second) for ask in chosen]
            return [tuple(encoding.ids) for encoding in tokenizer.encode_batch(inputs)]
        except Exception:
            return [None] if len(chosen) == 1 else [ids for ask in chosen for ids in encoded([ask])]

    return encoded(list(asks))


def _tokens(tokenizer: Any, ids: Ids) -> str:
    return "nothing (it fails)" if ids is None else _listed([str(tokenizer.id_to_token(i)) for i in ids])


def _listed(tokens: list[str], most: int = 12) -> str:
    return " ".join(tokens[:most]) + (" …" if len(tokens) > most else "")


def _excerpt(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
