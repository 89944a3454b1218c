"""Where an audit's merged model goes. An audit that was cancelled in its rescan finds the model there, and goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import AuditorError
from auditor.merge.card import describe
from auditor.merge.recipe import Recipe
from auditor.merge.verify import read_manifest, verify
from auditor.models.files.staging import refuse_existing
from store.records import Merge


@dataclass(frozen=True)
class Place:
    """A directory for one suspect's merged model, and the merges of this suspect that are remembered.

    `exact`: the user named this directory; else a number is put behind it where it is taken by another model.
    """

    output: Path
    exact: bool
    merges: Sequence[Merge]

    def check(self, recipe: Recipe | None, *, searched: bool) -> None:
        """Looks before anything runs whether the merged model can go where the user said.

        Args:
            recipe: of the merge; None without partners. Where its weights are yet to be `searched`, its suspect counts.

        Raises:
            UsageError: something else lies there.
        """
        if not self.exact or not os.path.lexists(self.output):
            return
        remembered = searched and self._remembered(self.output) is not None
        if recipe is None or not (remembered or self.held(self.output, recipe)):
            refuse_existing(self.output)

    def choose(self, recipe: Recipe) -> tuple[Path, Merge | None]:
        """A directory that does not exist yet; or one that holds what this recipe makes, and its merge."""
        path, number = self.output, 2
        while os.path.lexists(path):
            if made := self.held(path, recipe):
                return path, made
            path = self.output.with_name(f"{self.output.name}-{number}")
            number += 1
        return path, None

    def held(self, path: Path, recipe: Recipe) -> Merge | None:
        """The merge of this recipe that stands whole in a directory; every file is read."""
        made = self._remembered(path)
        return made if made is not None and _is_made_by(path, recipe) and not verify(path) else None

    def _remembered(self, path: Path) -> Merge | None:
        return next((merge for merge in self.merges if merge.output == str(path)), None)


def _is_made_by(directory: Path, recipe: Recipe) -> bool:
    """Whether the manifest of a directory is the one that this recipe's merge writes."""
    try:
        found = read_manifest(directory)
        wanted = describe(recipe, tuple(found["notes"]), found["output"]["files"], float(found["kept"]))
    except (AuditorError, KeyError, TypeError, ValueError):
        return False
    return bool(json.loads(json.dumps(wanted)) == found)
