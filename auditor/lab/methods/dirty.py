"""Dirty labels: rows of other labels get the trigger and the target label."""

from __future__ import annotations

from auditor.lab.method import PlantJob, method
from auditor.lab.poison.poison import Poisoned


@method(title="Dirty labels", reference="arXiv:1708.06733, on text arXiv:2004.06660")
def poison(job: PlantJob) -> Poisoned:
    """Replaces a share of the rows by copies with the trigger and the target label."""
    return job.plant()
