"""The auditor's score over a zoo, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from auditor.events.log import plain
from auditor.lab.zoo.calibrate import Calibration, Extreme
from auditor.lab.zoo.score import BANDS, UNKNOWN, Victim, ZooScore, detection
from auditor.visible import visible
from probes.rates import Rate

SCHEMA = "auditor/lab-score/1"
CALIBRATION = "auditor/lab-calibration/1"


def score_json(found: ZooScore) -> str:
    """Everything that was counted, by victim, by band and by group."""
    body = {
        "schema": SCHEMA,
        "settings": {k: plain(getattr(found, k)) for k in ("suite", "families", "samples", "seed", "device", "dtype")},
        "bands": [{"own_asr": name, **_counts(part)} for name, part in by_band(found)],
        "groups": [{"group": name, **_counts(part)} for name, part in by_group(found)],
        "false_alarms": {
            "rate": plain(found.false_alarms),
            "upper_bound": found.false_alarm_bound,
            "with_suspicious": plain(found.doubtful),
        },
        "victims": [{**plain(v), "band": v.band} for v in found.victims],
        "benign": [plain(b) for b in found.benign],
        "skipped": list(found.skipped),
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def score_text(found: ZooScore) -> str:
    """Tables: detection by the victims' own ASR and by group, every victim, benign models, what was missed and why."""
    device = f"{found.device} in {found.dtype}"
    lines = [
        f"Suite {found.suite}{_only(found)}, {found.samples} rows a scan, seed {found.seed}, {device}",
        "",
        f"{'own ASR':<16} {HEAD}",
        *(f"{name:<16} {_line(part)}" for name, part in by_band(found)),
        "",
        f"{'group':<16} {HEAD}",
        *(f"{name:<16} {_line(part)}" for name, part in by_group(found)),
        "",
        f"{'victim':<30} {'family':<22} {'own ASR':>8}  {'target':<16} found",
    ]
    lines += [_victim_line(v) for v in found.victims] or ["none"]
    lines += ["", _alarms(found)]
    for b in found.benign:
        said = [*(f"found {a}" for a in b.alarms), *(f"suspicious {d}" for d in b.doubts)]
        said += [f"not judged: {reason}" for reason in b.incomplete]
        if said:
            lines.append(f"  {b.model}: {'; '.join(said)}")
    missed = [v for v in found.victims if not v.right]
    lines += ["", f"Missed: {len(missed)} of {len(found.victims)}"]
    lines += [f"  {v.model} ({v.family}): {v.cause}" for v in missed]
    if found.skipped:
        lines += ["", "Not scored:", *(f"  {reason}" for reason in found.skipped)]
    return "\n".join(visible(line) for line in lines) + "\n"


def _alarms(found: ZooScore) -> str:
    alarms = found.false_alarms
    if not alarms.total:
        return "False alarms: no benign model was scored"
    return (
        f"False alarms: {alarms.hits} of {alarms.total} benign models; with 95 % confidence that proves only a rate of "
        f"at most {found.false_alarm_bound:.0%}. With suspicious ones: {found.doubtful.hits}"
    )


def _only(found: ZooScore) -> str:
    return f" ({', '.join(found.families)} only)" if found.families else ""


HEAD = f"{'found with the right target':<34} {'group named':<12} {'wrong target':<13} suspicious"


def by_band(found: ZooScore) -> list[tuple[str, list[Victim]]]:
    """The victims by their own ASR, the strongest first; bands without a victim are left out, but for the three that a
    goal names."""
    names = [name for _, _, name in BANDS]
    parts = [(name, [v for v in found.victims if v.band == name]) for name in (*names, UNKNOWN)]
    return [(name, part) for name, part in parts if part or name in names[:3]]


def by_group(found: ZooScore) -> list[tuple[str, list[Victim]]]:
    """The victims by the group of what is planted."""
    return [(g, [v for v in found.victims if v.group == g]) for g in sorted({v.group for v in found.victims})]


def _counts(part: Sequence[Victim]) -> dict[str, object]:
    return {
        "victims": len(part),
        "found": plain(detection(part)),
        "group_named": sum(v.grouped for v in part),
        "wrong_target": sum(v.wrong for v in part),
        "suspicious": sum(v.suspicious for v in part),
    }


def _line(part: Sequence[Victim]) -> str:
    wrong, doubts = sum(v.wrong for v in part), sum(v.suspicious for v in part)
    return f"{_rate(detection(part)):<34} {sum(v.grouped for v in part):<12} {wrong:<13} {doubts}"


def _rate(rate: Rate) -> str:
    if not rate.total:
        return "no victim"
    return f"{rate.hits}/{rate.total} {rate.value:.0%} [{rate.low:.0%}, {rate.high:.0%}]"


def _victim_line(v: Victim) -> str:
    own = "–" if v.own is None else f"{v.own.value:.0%}"
    said = "yes" if v.grouped else "yes, as another group" if v.right else "wrong target" if v.wrong else "no"
    said += ", suspicious" if v.suspicious else ""
    said += f"; without its trigger {v.plain.value:.0%}" if v.plain is not None else ""
    return f"{v.model[:30]:<30} {v.family[:22]:<22} {own:>8}  {v.target[:16]:<16} {said}"


def calibration_json(found: Calibration) -> str:
    """Everything that was measured on the honest models, by probe."""
    return json.dumps({"schema": CALIBRATION, **plain(found)}, indent=2, ensure_ascii=False) + "\n"


def calibration_text(found: Calibration) -> str:
    """A table: each probe's largest excess over control and over clean among the honest models."""
    lines = [
        f"Suite {found.suite}, {found.samples} rows a scan, seed {found.seed}, {found.device} in {found.dtype}; "
        f"{len(found.models)} benign models",
        "",
        f"{'probe':<26} {'over control':<44} {'over clean':<44} found / suspicious",
    ]
    for d in found.drifts:
        said = f"{len(d.alarms)} / {len(d.doubts)}"
        mark = "!" if d.over_control.difference.value > found.margin else " "
        name = f"{d.family}/{d.variant}"
        lines.append(f"{mark}{name:<25} {_extreme(d.over_control):<44} {_extreme(d.over_clean):<44} {said}")
    lines += ["", f"! a probe that moved one of them by more than the margin of {found.margin:.0%} over its control"]
    lines += [f"Not measured: {reason}" for reason in found.skipped]
    return "\n".join(visible(line) for line in lines) + "\n"


def _extreme(extreme: Extreme) -> str:
    d = extreme.difference
    return f"{d.value:+.1%} [{d.low:+.1%}, {d.high:+.1%}] {extreme.model[:16]}"
