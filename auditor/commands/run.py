"""What every command does around its work: settings, the catalog, events, reports and exit codes."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.commands.guard import code_of
from auditor.errors import CatalogError, DiskError, ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from auditor.events import Event
    from auditor.session import Session
    from store.records import Audit, Scan


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
        CatalogError: the catalog cannot be used.
    """
    from auditor.policy import read_policy
    from auditor.session import Session
    from auditor.settings import Settings, catalog_url
    from store.engine import CatalogUnusable, open_catalog

    url = catalog_url(common.catalog)
    settings = Settings(catalog=url, device=common.device, dtype=common.dtype, seed=common.seed)
    policy = read_policy(common.policy)
    try:
        catalog = open_catalog(url)
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
    from auditor.event_log import log_events, open_log, write_event
    from auditor.events import Finished, Started
    from auditor.narrate import Narrator

    ending: list[Ending] = []

    def whole(session: Session) -> Generator[Event, None, None]:
        yield Started(("auditor", *sys.argv[1:]), secrets.token_hex(6))
        ending.append((yield from body(session)))

    with contextlib.ExitStack() as stack:
        out = None
        if common.events is not None:
            try:
                out = stack.enter_context(open_log(common.events))
            except OSError as error:
                raise UsageError(f"cannot write the event file {common.events}: {error.strerror}") from error
        try:
            with open_session(common) as session:
                events = whole(session)
                if out is not None:
                    events = log_events(events, out)
                narrator = Narrator(common.console(), quiet=common.quiet, plain=common.plain)
                with contextlib.closing(narrator.follow(events)) as shown:
                    for _ in shown:
                        pass
                ending[0].report()
        except BaseException as error:
            if out is not None:
                write_event(Finished(code_of(error), str(error)), out)
            raise
        if out is not None:
            write_event(Finished(int(ending[0].code), ending[0].text), out)
    return int(ending[0].code)


def emit(text: str, output: Path | None) -> None:
    """Writes a report to stdout, or whole or not at all to a file.

    Raises:
        DiskError: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DiskError(f"cannot write {output}: {error.strerror}", hint="name another place with -o") from error


def render(record: Scan | Audit, name: str | None, output: Path | None, common: Common) -> None:
    """Renders a record in the named format (default: text, or what the file's ending says)."""
    from auditor.reports.format import FORMATS, format_for

    chosen = FORMATS[name] if name else format_for(output)
    terminal = output is None and sys.stdout.isatty()
    colour = terminal and not common.plain and not os.environ.get("NO_COLOR")
    emit(chosen.render(record, width=_width(terminal), colour=colour), output)


def _width(terminal: bool) -> int:
    if not terminal:
        return 80
    import shutil

    return max(40, min(shutil.get_terminal_size().columns, 160))


def check_format(name: str | None) -> None:
    """Raises:
    UsageError: no such format.
    """
    if name is not None:
        from auditor.reports.format import FORMATS

        FORMATS[name]


def read_sets(values: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """`NAME.option=value` entries by name.

    Raises:
        UsageError: an entry of another form.
    """
    out: dict[str, dict[str, Any]] = {}
    for entry in values or ():
        name, dot, rest = entry.partition(".")
        key, equals, value = rest.partition("=")
        if not (dot and equals and name.strip() and key.strip()):
            raise UsageError(f"--set takes NAME.option=value, not {entry!r}", hint="for example --set badnet.inserts=3")
        out.setdefault(name.strip(), {})[key.strip()] = value
    return out


def read_weights(text: str | None) -> tuple[float, ...] | None:
    """`W0,W1,…` as numbers.

    Raises:
        UsageError: something that is no number.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--weights takes numbers with commas between, not {text!r}") from None


def scan_exit(scan: Scan, *, suspicious_fails: bool, max_asr: float | None, min_cacc: float | None) -> ExitCode:
    """The exit code of a scan. Found and incomplete is 1; incomplete alone is 3."""
    from store.records import Verdict

    if scan.verdict is Verdict.FOUND or (scan.verdict is Verdict.SUSPICIOUS and suspicious_fails):
        return ExitCode.FOUND
    judged = [s.rate.value for s in scan.scores.asr if s.judged]
    if max_asr is not None and judged and max(judged) > max_asr:
        return ExitCode.FOUND
    if min_cacc is not None and scan.scores.cacc is not None and scan.scores.cacc.value < min_cacc:
        return ExitCode.FOUND
    if scan.verdict is Verdict.INCOMPLETE or scan.incomplete:
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def audit_exit(audit: Audit) -> ExitCode:
    """The exit code of an audit."""
    from store.records import Stamp

    if audit.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE):
        return ExitCode.OK
    if audit.after is None and audit.stamp is Stamp.NOT_JUDGED:
        return ExitCode.INCOMPLETE
    return ExitCode.FOUND
