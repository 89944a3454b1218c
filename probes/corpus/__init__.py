"""Rows with labels, from files and from what comes with the program."""

from probes.corpus.corpus import BUILTIN, Corpus, CorpusError, builtin, builtin_for, digest, read_corpus, sample

__all__ = ["BUILTIN", "Corpus", "CorpusError", "builtin", "builtin_for", "digest", "read_corpus", "sample"]
