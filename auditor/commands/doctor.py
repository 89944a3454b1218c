"""`auditor doctor`: what works here."""

from __future__ import annotations

from typing import Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import emit
from auditor.errors import ExitCode


def doctor(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the hub.")] = False,
    catalog: o.Catalog = None,
) -> None:
    """Say what works here: device, hub, catalog, disk, optional parts. Exit code 3 where a needed part does not."""

    def body() -> int:
        import json as encoder
        from dataclasses import asdict

        from auditor.doctor import examine

        checks = examine(catalog, offline=offline)
        if json:
            emit(encoder.dumps([asdict(c) for c in checks], indent=2) + "\n", None)
        else:
            emit("".join(f"{c.sign}  {c.name:<10} {c.text}\n" for c in checks), None)
        return ExitCode.INCOMPLETE if any(c.needed and not c.works for c in checks) else ExitCode.OK

    raise typer.Exit(guarded(body))
