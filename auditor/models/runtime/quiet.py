"""Keeps libraries from writing to the terminal: the core says what it has to say in events and errors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines, progress bars and warnings of transformers' inside; as before afterwards."""
    from transformers.utils import logging as library

    level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity(logging.CRITICAL)
    library.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def quiet_hub() -> Iterator[None]:
    """The same for huggingface_hub."""
    from huggingface_hub.utils import logging as library
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    level, bars = library.get_verbosity(), not are_progress_bars_disabled()
    library.set_verbosity(logging.CRITICAL)
    with warnings.catch_warnings():
        # With HF_HUB_DISABLE_PROGRESS_BARS=0 the user's word stands, and the library says so.
        warnings.simplefilter("ignore")
        if bars:
            disable_progress_bars()
        try:
            yield
        finally:
            library.set_verbosity(level)
            if bars:
                enable_progress_bars()
