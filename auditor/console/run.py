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

from auditor.console.guard import code_of, words_of
from auditor.errors import CatalogError, DiskError, ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from auditor.events import Event
    from auditor.policy import Policy
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
                with contextlib.closing(narrator.follow(events)) as shown:
                    for _ in shown:
                        pass
                ending[0].report()
        except BaseException as error:
            if out is not None:
                # A full disk must not hide what went wrong first.
                with contextlib.suppress(OSError):
                    write_event(Finished(int(code_of(error)), words_of(error)[0]), out)
            raise
        if out is not None:
            write_event(Finished(int(ending[0].code), ending[0].text), out)
    return int(ending[0].code)


def emit(text: str, output: Path | None) -> None:
    """Writes a report to stdout, or whole or not at all to a file. A device or a pipe is written as it is.

    Raises:
        DiskError: the file cannot be written.
        BrokenPipeError: stdout is closed.
    """
    if output is None:
        if sys.stdout is None:
            raise BrokenPipeError("standard output is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target = output.resolve()
    partial = target if target.exists() and not target.is_file() else target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        if partial != target:
            partial.replace(target)
    except OSError as error:
        if partial != target:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        raise DiskError(f"cannot write {output}: {error.strerror}", hint="Name another place with -o.") from error


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


def check_format(name: str | None, output: Path | None) -> None:
    """Looks before anything runs whether the report can be rendered and has a place.

    Raises:
        UsageError: no such format, or the output names a directory or lies in none.
    """
    if name is not None:
        from auditor.reports.format import FORMATS

        FORMATS[name]
    check_output(output)


def check_output(output: Path | None) -> None:
    """Raises:
    UsageError: the output names a directory, or lies in none.
    """
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"the output {output} is a directory", hint="Name a file with -o.")
    if not output.parent.is_dir():
        raise UsageError(f"there is no directory {output.parent} to write {output.name} into")


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
            raise UsageError(
                f"--set takes NAME.option=value, not {entry!r}", hint="For example: --set badnet.inserts=3"
            )
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


def read_labels(pairs: Sequence[str] | None) -> dict[str, str]:
    """`THEIRS=OURS,…` as a mapping.

    Raises:
        UsageError: something that is no pair, or a name that is given twice.
    """
    found: dict[str, str] = {}
    for pair in [part for text in pairs or () for part in text.split(",")]:
        theirs, equals, ours = (part.strip() for part in pair.partition("="))
        if not (theirs and equals and ours):
            raise UsageError(
                f"--labels takes pairs PARTNER=SUSPECT with commas between, not {pair!r}",
                hint="For example: --labels NEG=negative,POS=positive",
            )
        if theirs in found or ours in found.values():
            raise UsageError(f"--labels names {theirs if theirs in found else ours!r} twice: one label is one label")
        found[theirs] = ours
    return found


def scan_exit(scan: Scan, policy: Policy) -> ExitCode:
    """The exit code of a scan. Found and incomplete is 1; incomplete alone is 3."""
    from store.records import Verdict

    if scan.verdict is Verdict.FOUND or (scan.verdict is Verdict.SUSPICIOUS and policy.suspicious_fails):
        return ExitCode.FOUND
    broken = threshold_exit(scan, policy)
    if broken is ExitCode.OK and (scan.verdict is Verdict.INCOMPLETE or scan.incomplete):
        return ExitCode.INCOMPLETE
    return broken


def threshold_exit(scan: Scan, policy: Policy) -> ExitCode:
    """What the policy's own thresholds say of a scan; one that cannot be looked at is incomplete, never kept."""
    judged = [s.rate.value for s in scan.scores.asr if s.judged]
    cacc = scan.scores.cacc
    if policy.max_asr is not None and judged and max(judged) > policy.max_asr:
        return ExitCode.FOUND
    if policy.min_cacc is not None and cacc is not None and cacc.value < policy.min_cacc:
        return ExitCode.FOUND
    unknown = (policy.max_asr is not None and not judged) or (policy.min_cacc is not None and cacc is None)
    return ExitCode.INCOMPLETE if unknown else ExitCode.OK


def audit_exit(audit: Audit, policy: Policy) -> ExitCode:
    """The exit code of an audit: of its stamp, and of the policy's thresholds on the model that it ends with."""
    from store.records import Stamp

    if audit.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE):
        return threshold_exit(audit.after or audit.before, policy)
    if audit.after is None and audit.stamp is Stamp.NOT_JUDGED:
        return ExitCode.INCOMPLETE
    return ExitCode.FOUND
