"""Rows with labels, from files and from what comes with the program."""

from probes.corpus.corpus import BUILTIN, Corpus, CorpusError, builtin, builtin_for, digest, read_corpus, sample
from probes.corpus.prompts import builtin_prompts, read_prompts, sample_prompts

__all__ = [
    "BUILTIN",
    "Corpus",
    "CorpusError",
    "builtin",
    "builtin_for",
    "builtin_prompts",
    "digest",
    "read_corpus",
    "read_prompts",
    "sample",
    "sample_prompts",
]
