"""`auditor models …`: the catalog."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.help import Commands
from auditor.console.output import emit
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session
    from store.records import CatalogEntry

models = Commands(help="The catalog of models.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def _run(common: Common, work: Callable[[Session], str]) -> None:
    def body(session: Session) -> Generator[Event, None, Ending]:
        yield from ()
        text = work(session)
        return Ending(ExitCode.OK, lambda: emit(text, None))

    raise typer.Exit(guarded(lambda: run(common, body)))


@models.command()
def add(
    paths: Annotated[list[str], typer.Argument(metavar="MODEL…", help="Directories, or hub names.")],
    name: Annotated[str | None, typer.Option("--name", help="Name in the catalog; default: the directory's.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A word to find it by.", show_default=False)] = None,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Add models to the catalog; nothing is copied."""

    def work(session: Session) -> str:
        from store.models import NameTaken

        if name and len(paths) > 1:
            raise UsageError("--name fits one model; several were given")
        lines = []
        for path in paths:
            profile = session.profile(path, register=False)
            try:
                entry = session.catalog.models.add(profile, name=name, tags=tuple(tag or ()))
            except NameTaken as error:
                raise UsageError(str(error)) from error
            lines.append(f"{entry.name}  {profile.ref.digest[:12]}  {profile.architecture}")
        return "\n".join(lines) + "\n"

    _run(Common(catalog=catalog, events=events, quiet=quiet, plain=plain), work)


@models.command("list")
def list_models(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Only what holds this text.")] = "",
    json: Json = False,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """List the catalogued models with their last verdict, or the stamp of the audit that made them."""
    _run(
        Common(catalog=catalog, events=events, quiet=quiet, plain=plain),
        lambda s: _json(s.entries(text)) if json else _table(s.entries(text)),
    )


@models.command()
def show(
    model: o.ModelArg,
    json: Json = False,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Show a model's profile, its scans and the merges it took part in."""
    _run(Common(catalog=catalog, events=events, quiet=quiet, plain=plain), lambda s: _show(s, model, json))


@models.command()
def remove(
    model: o.ModelArg,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Forget a model. Its files and its scans stay."""

    def work(session: Session) -> str:
        entry = session.catalog.models.find(model)
        if entry is None:
            raise UsageError(f"the catalog has no model {model!r}", hint="`auditor models list` shows them.")
        session.catalog.models.remove(entry.id)
        return f"removed {entry.name}; its files stay in {entry.profile.ref.path}\n"

    _run(Common(catalog=catalog, events=events, quiet=quiet, plain=plain), work)


@models.command()
def pull(
    model: o.ModelArg,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Fetch a model from the hub, and add it."""

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.events import ModelReady, Stage

        name = model.removeprefix("hub:")
        yield Stage("fetch", f"Fetching {name} from the hub")
        profile = session.profile(f"hub:{name}")
        yield ModelReady(profile.ref.path, f"fetched {name}")
        return Ending(ExitCode.OK, lambda: emit(f"{profile.ref.path}\n", None))

    raise typer.Exit(guarded(lambda: run(Common(catalog=catalog, events=events, quiet=quiet, plain=plain), body)))


@models.command()
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    task: Annotated[str | None, typer.Option("--task", help="text-classification or text-generation.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100)] = 20,
    json: Json = False,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Search the hub. Nothing is fetched."""

    def work(session: Session) -> str:
        import json as encoder
        from dataclasses import asdict

        from auditor.models.hub import Hub

        found = Hub().search(text, task=task, limit=limit)
        if json:
            return encoder.dumps([asdict(i) for i in found], indent=2) + "\n"
        return "".join(f"{i.name}  {i.licence or 'no licence stated'}  {i.downloads} downloads\n" for i in found)

    _run(Common(catalog=catalog, events=events, quiet=quiet, plain=plain), work)


def _facts(entry: CatalogEntry) -> dict[str, object]:
    p = entry.profile
    return {
        "id": entry.id,
        "name": entry.name,
        "reference": p.ref.reference,
        "path": p.ref.path,
        "revision": p.ref.revision,
        "digest": p.ref.digest,
        "architecture": p.architecture,
        "task": str(p.task),
        "labels": list(p.labels),
        "parameters": p.parameters,
        "dtype": p.dtype,
        "base": p.base,
        "licence": p.licence,
        "tags": list(entry.tags),
        "last_scan": entry.last_scan,
        "last_verdict": str(entry.last_verdict) if entry.last_verdict else None,
        "found_by": entry.found_by,
        "stamp": str(entry.stamp) if entry.stamp else None,
        "worst_asr": entry.worst_asr,
        "cacc": entry.cacc,
    }


def _json(entries: list[CatalogEntry]) -> str:
    import json

    return json.dumps([_facts(e) for e in entries], indent=2) + "\n"


def _table(entries: list[CatalogEntry]) -> str:
    from auditor.visible import visible

    if not entries:
        return "no model: add one with `auditor models add PATH`\n"
    lines = [f"{'id':>4}  {'name':<28} {'verdict':<15} {'ASR':>6} {'CACC':>6}  architecture"]
    for e in entries:
        asr = "" if e.worst_asr is None else f"{e.worst_asr:.1%}"
        cacc = "" if e.cacc is None else f"{e.cacc:.1%}"
        verdict = "found earlier" if e.found_earlier else str(e.standing or "not scanned")
        lines.append(f"{e.id:>4}  {e.name[:28]:<28} {verdict:<15} {asr:>6} {cacc:>6}  {e.profile.architecture}")
    return "\n".join(visible(line) for line in lines) + "\n"


def _show(session: Session, model: str, json: bool) -> str:
    from auditor.visible import visible

    entry = session.catalog.models.find(model)
    if entry is None:
        entry = session.catalog.models.add(session.profile(model, register=False))
    if json:
        return _json([entry])
    digest = entry.profile.ref.digest
    lines = [f"{key:<13} {value}" for key, value in _facts(entry).items()]
    lines += [f"scan          {s.id}  {s.started}  {s.verdict}" for s in session.catalog.scans.list(digest=digest)]
    lines += [f"merge         {m.strategy} into {m.output}" for m in session.catalog.audits.merges(digest)]
    return "\n".join(visible(line) for line in lines) + "\n"
