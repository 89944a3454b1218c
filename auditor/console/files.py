"""What `auditor files` and `--static-only` do: a model's files, and nothing of it loaded."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.console.exits import files_exit
from auditor.console.output import render
from auditor.console.run import Common, Ending

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def look_at_files(
    session: Session, model: str, form: str | None, output: Path | None, common: Common
) -> Generator[Event, None, Ending]:
    """Looks at a model's files, and ends with their report."""
    from auditor.events import FilesReady

    found = None
    with closing(session.files(model)) as events:
        for event in events:
            if isinstance(event, FilesReady):
                found = event.record
            yield event
    if found is None:
        raise RuntimeError("the files were looked at, and there is no record of it")
    record = found
    code = files_exit(record, session.policy)
    return Ending(code, lambda: render(record, form, output, common), str(record.verdict))
