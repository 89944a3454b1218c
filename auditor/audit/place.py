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
from auditor.merge.staging import refuse_existing
from auditor.merge.verify import read_manifest, verify
from store.records import Merge


@dataclass(frozen=True)
class Place:
    """A directory for one suspect's merged model, and the merges that are remembered of this suspect.

    `exact`: the user named this directory; else a number is put behind it where it is taken by another model.
    """

    output: Path
    exact: bool
    merges: Sequence[Merge]

    def check(self, recipe: Recipe | None, *, searched: bool) -> None:
        """Looks before anything runs whether the merged model can go where the user said.

        Args:
            recipe: of the merge; where the weights are `searched` yet, only its models count.

        Raises:
            UsageError: something else lies there.
        """
        if not self.exact or not os.path.lexists(self.output):
            return
        made = self._remembered(self.output)
        ours = made is not None and recipe is not None and made.suspect_digest == recipe.suspect.ref.digest
        if not ours or not (searched or (recipe is not None and _is_made_by(self.output, recipe))):
            refuse_existing(self.output)

    def choose(self, recipe: Recipe) -> tuple[Path, Merge | None]:
        """A directory that does not exist yet; or one that holds what this recipe makes, whole, and its merge."""
        path, number = self.output, 2
        while os.path.lexists(path):
            made = self._remembered(path)
            if made is not None and _is_made_by(path, recipe) and not verify(path):
                return path, made
            path = self.output.with_name(f"{self.output.name}-{number}")
            number += 1
        return path, None

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
