"""Which answers are whose: what a run's stored answers hang on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from enum import StrEnum

from auditor.models.runtime.spec import LABELS, LoadSpec
from auditor.scan.plan import Plan
from probes.input import Asking, Generate

MAKING = "2"
"""How answers are made; another number where a model may be answered otherwise than by an earlier version."""


class Role(StrEnum):
    """As what a model is asked."""

    SUSPECT = "suspect"
    REFERENCE = "reference"
    AFTER = "after"
    """The merged model, in a rescan."""
    FURTHER_ROWS = "further rows"
    SHARPER_FORMS = "sharper forms"
    SCREEN = "screen"
    ALTERNATIVES = "alternatives"
    OWN = "own"
    """A planted model, with its own trigger."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What fixes a model's answers to a plan, beside the plan.

    Attributes:
        digest: the model's.
        max_length: tokens after which an input is cut.
    """

    digest: str
    device: str
    dtype: str
    max_length: int
    asking: Asking = LABELS

    @classmethod
    def of(cls, load: LoadSpec) -> RunSpec:
        """The run of a model that is opened so."""
        return cls(load.profile.ref.digest, load.device, load.dtype, load.max_length, load.asking)

    def key(self, plan: Plan) -> str:
        """The digest of what fixes the answers: model, plan, cut, number format, kind of device, and for texts how they
        are written.
        """
        parts = [MAKING, plan.key, self.digest, str(self.max_length), self.dtype, self.device.partition(":")[0]]
        if isinstance(self.asking, Generate):
            parts += [f"{name}={value}" for name, value in sorted(asdict(self.asking).items())]
        elif self.asking.words:
            parts += [f"template={self.asking.template}", *(f"label={word}" for word in self.asking.words)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
