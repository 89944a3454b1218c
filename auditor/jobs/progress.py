"""What a job's events say so far: one small state that screens draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ScoreKey = tuple[str, str, str]

SMOOTHING_SECONDS = 20.0
PROMPTS = "prompts"
"""The unit in which what a model that writes is asked is counted; a classifier is asked texts."""


@dataclass(slots=True)
class JobProgress:
    """The state of a job, folded from its events.

    `speed` is units a second over the last seconds, None while unknown; `scores` are the scores as the event file has
    them, by (family, variant, target); `interim` the counts so far of those that are not final; `rows` a row or two of
    each, as they were answered; `writes` whether a model that writes is asked; `trials` the recipes of a search by
    number, and `front` those that no other beats.
    """

    stage: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    detail: str = ""
    device: str = ""
    dtype: str = ""
    role: str = ""
    resumed: int = 0
    batches: int = 0
    scores: dict[ScoreKey, Mapping[str, Any]] = field(default_factory=dict)
    interim: dict[ScoreKey, Mapping[str, Any]] = field(default_factory=dict)
    rows: dict[ScoreKey, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    writes: bool = False
    trials: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    front: tuple[int, ...] = ()
    warnings: list[str] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    audit: str | None = None
    merged: Mapping[str, Any] | None = None
    finished: int | None = None
    last_words: str = ""
    speed: float | None = None
    _marks: list[tuple[float, int]] = field(default_factory=list)

    def take_all(self, events: Iterable[Mapping[str, Any]], now: float) -> None:
        """Takes events that were read at a time (monotonic, seconds)."""
        for event in events:
            self._take(event, now)

    @property
    def share(self) -> float | None:
        """How much of the stage is done, 0 to 1; None where its length is unknown."""
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def remaining(self) -> float | None:
        """Seconds that the stage will take yet, at its speed of late."""
        return (self.total - self.done) / self.speed if self.speed and self.total else None

    def _take(self, event: Mapping[str, Any], now: float) -> None:
        match event.get("kind"):
            case "stage":
                self.stage, self.text = str(event.get("name", "")), str(event.get("text", ""))
                self.done, self.total, self.unit = 0, int(event.get("total") or 0), str(event.get("unit", ""))
                self.detail, self.speed, self._marks = "", None, []
                self.writes = self.writes or self.unit == PROMPTS
            case "progress":
                self._advance(event, now)
            case "run-opened":
                self.device, self.dtype = str(event.get("device", "")), str(event.get("dtype", ""))
                self.role, self.resumed = str(event.get("role", "")), int(event.get("resumed") or 0)
                self.batches = int(event.get("batches") or 0)
                if self.role == "after":
                    # The merged model's scores come in place of the suspect's.
                    self.scores, self.interim, self.rows = {}, {}, {}
            case "score-ready":
                score = event.get("score")
                if isinstance(score, Mapping):
                    self.scores[_key(score)] = score
            case "tally":
                for score in event.get("scores") or ():
                    self.interim[_key(score)] = score
            case "rows-seen":
                self.rows[_key(event)] = tuple(row for row in event.get("rows") or () if isinstance(row, Mapping))
            case "tried":
                trial = event.get("trial")
                if isinstance(trial, Mapping):
                    self.trials[int(trial.get("number", 0))] = trial
                    self.front = tuple(int(n) for n in event.get("front") or ())
            case "warned":
                self.warnings.append(str(event.get("text", "")))
            case "scan-ready":
                self.scans.append(str(event.get("id", "")))
                self.interim.clear()
            case "audit-ready":
                self.audit = str(event.get("id", ""))
            case "merge-ready":
                merged = event.get("merge")
                self.merged = merged if isinstance(merged, Mapping) else None
            case "finished":
                self.finished, self.last_words = int(event.get("code", 70)), str(event.get("text", ""))
            case _:
                pass

    def _advance(self, event: Mapping[str, Any], now: float) -> None:
        self.done, self.total = int(event.get("done") or 0), int(event.get("total") or self.total)
        self.unit, self.detail = str(event.get("unit") or self.unit), str(event.get("detail", ""))
        self._marks = [mark for mark in self._marks if now - mark[0] < SMOOTHING_SECONDS] + [(now, self.done)]
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        if ended - began > 0.2 and last > first:
            self.speed = (last - first) / (ended - began)


def _key(score: Mapping[str, Any]) -> ScoreKey:
    return str(score.get("family", "")), str(score.get("variant", "")), str(score.get("target", ""))
