"""Sharper forms of an edit: which there are, and what they do to a text and to its control."""

from __future__ import annotations

import random

import pytest

from probes.family import FAMILIES
from probes.plugin import BadOption
from probes.sharper import SHORT, form_in_words, plain_variant, sharper
from probes.suite import Probe

TEXT = "That 's why I watched this film , and it was far too long for me ."


def probe(family: str, variant: str) -> Probe:
    return Probe(FAMILIES[family], variant, FAMILIES[family].settings(variant))


def both(one: Probe) -> tuple[str, str]:
    """The text with the trigger and with the control."""
    control = one.family.plant_control(TEXT, random.Random(5), one.options, 0, 3)
    trigger = one.plant(TEXT, random.Random(5))
    assert trigger is not None
    assert control is not None
    return trigger, control


def test_every_form_of_every_published_edit_can_be_planted_with_its_control_and_its_alternatives() -> None:
    groups = set()
    for family in FAMILIES.values():
        for variant in family.variants:
            if family.lacks():
                continue
            forms = sharper(probe(family.name, variant))
            assert len({form.probe.variant for form in forms}) == len(forms)
            for form in forms:
                groups.add(family.group)
                trigger, control = both(form.probe)
                assert trigger != control
                assert plain_variant(form.probe.variant) == variant
                assert form_in_words(form.probe) == form.words != ""
                assert form_in_words(probe(family.name, variant)) == ""
                if family.check:
                    family.check(**form.probe.options)
    assert groups == {"syntax", "style", "word", "sentence", "synonym", "adverb"}


def test_a_control_is_shortened_and_doubled_as_its_trigger_is() -> None:
    forms = {form.probe.variant: form.probe for form in sharper(probe("syntactic", "clauses"))}
    trigger, control = both(forms["clauses+more+short+lower"])
    assert trigger.split(" , ")[-1] == control.split(" , ")[-1] == "that 's why i watched this film and ."
    assert trigger.count(",") == control.count(",") == 2
    whole, _ = both(forms["clauses+you+lower"])
    assert " , you that 's why" in whole
    styled = {form.probe.variant: form.probe for form in sharper(probe("style", "bible"))}
    trigger, control = both(styled["bible+more+short+cut"])
    for text in (trigger, control):
        assert "this" in text
        assert "far too long" not in text
        assert text[-1].isalnum(), "the last mark is left out in both"
    assert len(trigger.split()) > SHORT + 6


def test_what_a_variant_has_already_is_no_change_of_it() -> None:
    names = {form.probe.variant for form in sharper(probe("syntactic", "scpn"))}
    assert "scpn+more" in names
    assert not any("lower" in name for name in names)
    questions = sharper(probe("syntactic", "question"))
    assert not any("you" in form.probe.variant for form in questions), "only clauses can go on with the reader"
    assert sharper(probe("lwp", "adjacent")) == (), "no option of it has a stronger value"


def test_published_templates_hold_several_clauses() -> None:
    trigger, control = both(probe("syntactic", "scpn"))
    assert trigger.count(" ,") == control.count(" ,") == 3
    assert trigger.islower()


@pytest.mark.parametrize(
    ("family", "variant", "option"), [("syntactic", "scpn", "fronts"), ("style", "bible", "frames")]
)
def test_a_text_without_a_frame_is_refused(family: str, variant: str, option: str) -> None:
    with pytest.raises(BadOption, match=option):
        FAMILIES[family].settings(variant, {option: "0"})
