"""What every command does around its work: settings, the catalog, events, and how it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.console.guard import code_of, shown, words_of
from auditor.errors import CatalogError, ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from auditor.events import Event
    from auditor.session import Session


@dataclass(frozen=True)
class Common:
    """The options that every command has."""

    catalog: str | None = None
    device: str = "auto"
    dtype: str | None = None
    seed: int = 0
    policy: Path | None = None
    events: Path | None = None
    quiet: bool = False
    plain: bool = False

    def console(self) -> Console:
        """Standard error, with colour where it is a terminal that wants it."""
        from rich.console import Console

        return Console(stderr=True, no_color=True if self.plain or os.environ.get("NO_COLOR") else None)


@contextmanager
def open_session(common: Common) -> Iterator[Session]:
    """A session over the catalog.

    Raises:
        UsageError: the catalog's address names no database.
        CatalogError: the catalog cannot be used.
    """
    from auditor.policy import read_policy
    from auditor.session import Session
    from auditor.settings import Settings, catalog_url
    from store.engine import AddressUnusable, CatalogUnusable, open_catalog

    url = catalog_url(common.catalog)
    settings = Settings(catalog=url, device=common.device, dtype=common.dtype, seed=common.seed)
    policy = read_policy(common.policy)
    try:
        catalog = open_catalog(url)
    except AddressUnusable as error:
        raise UsageError(error.message, hint=error.hint) from error
    except CatalogUnusable as error:
        raise CatalogError(error.message, hint=error.hint) from error
    with catalog:
        try:
            yield Session(settings, catalog, policy)
        except CatalogUnusable as error:
            raise CatalogError(error.message, hint=error.hint) from error


@dataclass(frozen=True)
class Ending:
    """How a command ends: its exit code, and what it writes once the display is gone."""

    code: ExitCode
    report: Callable[[], None] = lambda: None
    text: str = ""


Body = Callable[["Session"], "Generator[Event, None, Ending]"]


def run(common: Common, body: Body) -> int:
    """Runs a command: its events are narrated on stderr and written to `--events`; then its report; then the last
    event.
    """
    from auditor.console.narrate import Narrator
    from auditor.events import Finished, Started
    from auditor.events.log import log_events, open_log, write_event

    ending: list[Ending] = []

    def whole(session: Session) -> Generator[Event, None, None]:
        ending.append((yield from body(session)))

    with contextlib.ExitStack() as stack:
        out = None
        if common.events is not None:
            try:
                out = stack.enter_context(open_log(common.events))
            except OSError as error:
                raise UsageError(f"cannot write the event file {common.events}: {error.strerror}") from error
            write_event(Started(("auditor", *sys.argv[1:]), secrets.token_hex(6)), out)
        try:
            with open_session(common) as session:
                events = whole(session)
                if out is not None:
                    events = log_events(events, out)
                narrator = Narrator(common.console(), quiet=common.quiet, plain=common.plain)
                with contextlib.closing(narrator.follow(events)) as followed:
                    for _ in followed:
                        pass
                ending[0].report()
        except BaseException as error:
            if out is not None:
                # A full disk must not hide what went wrong first.
                with contextlib.suppress(OSError):
                    write_event(Finished(int(code_of(error)), shown(words_of(error)[0])), out)
            raise
        if out is not None:
            write_event(Finished(int(ending[0].code), ending[0].text), out)
    return int(ending[0].code)
