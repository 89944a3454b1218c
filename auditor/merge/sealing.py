"""Profiles whose weights were not hashed when they were read, because the merge hashes them as it reads them.

An open profile has an empty digest, and empty digests of its weight files. The merge closes it with what it read: then
the manifest, the catalog and everything after it see a profile like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from auditor.merge.card import read_plain_manifest
from auditor.merge.recipe import Recipe
from auditor.models.files.fingerprint import digest_of_files
from auditor.models.files.profile import read_profile
from store.records import Profile


def is_open(profile: Profile) -> bool:
    """Whether its weights are still to be hashed."""
    return not profile.ref.digest


def seal(profile: Profile, files: Mapping[str, str]) -> Profile:
    """The profile with the digests of all its files."""
    return replace(profile, files=dict(files), ref=replace(profile.ref, digest=digest_of_files(files)))


def seal_recipe(recipe: Recipe, read: Mapping[tuple[int, str], str]) -> Recipe:
    """The recipe with what was read: digests by owner (suspect, partners, base) and file.

    Raises:
        IncompatibleError: two of the models turn out to have the same content.
    """

    def closed(number: int, profile: Profile) -> Profile:
        return seal(profile, {n: read[number, n] for n in profile.files}) if is_open(profile) else profile

    models = [closed(number, model) for number, model in enumerate(recipe.models)]
    base = closed(len(models), recipe.base) if recipe.base is not None else None
    return replace(recipe, suspect=models[0], partners=tuple(models[1:]), base=base)


def seal_from(output: Path, profiles: list[Profile]) -> list[Profile]:
    """Open profiles closed with what the manifest of their merge says of them: suspect, partners, base."""
    manifest = read_plain_manifest(output)
    stated = [manifest["suspect"], *manifest["partners"], *([manifest["base"]] if manifest["base"] else [])]
    return [
        seal(profile, entry["files"]) if is_open(profile) else profile
        for profile, entry in zip(profiles, stated, strict=False)
    ]


def merged_profile(output: Path) -> Profile:
    """The profile of a directory that was just merged, with the digests that were computed as it was written."""
    return seal(read_profile(output, hash_weights=False), read_plain_manifest(output)["output"]["files"])
