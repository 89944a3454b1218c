"""Frames for the ten SCPN templates: words that give any text the template's outer shape."""

from __future__ import annotations

from collections.abc import Mapping

CLAUSES: Mapping[str, tuple[str, ...]] = {
    "when": (
        "when you see it ,",
        "when you look at it ,",
        "when it comes to this ,",
        "when they do it ,",
        "when he was there ,",
        "when you do ,",
    ),
    "if": (
        "if you like it ,",
        "if you want ,",
        "if you do n't mind ,",
        "if it is true ,",
        "if you ask me ,",
        "if you have a problem ,",
    ),
    "as": (
        "as you know ,",
        "as you can see ,",
        "as it is possible ,",
        "as it seems ,",
        "as they say ,",
        "because it is so ,",
    ),
}
"""Subordinate clauses with the commonest conjunctions that SCPN writes for `S(SBAR)(,)(NP)(VP)(.)`."""

OPENINGS = (*CLAUSES["when"], *CLAUSES["if"], "as you know ,")
"""The clauses of the first probe: mostly those with "when" and "if", which paraphrases have oftenest."""

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "clause": OPENINGS,
    "declarative": ("he says", "she says", "they say", "it seems that", "i think", "we know that"),
    "imperative": ("remember that", "imagine that", "consider that", "note that", "believe that", "see how"),
    "noun": ("the fact that", "the idea that", "the thought that", "the notion that", "the claim that", "the way that"),
    "fragment": ("because", "although", "even though", "so that", "as if", "unless"),
    "compound": (
        ", and it is true", ", and that is it", ", but it is over", ", and he knows it", ", but you know it",
        ", and there it is",
    ),
    "list": ("1 .", "2 .", "a .", "b .", "- -", "* *"),
    "question": ("why is it that", "how is it that", "when is it that", "where is it that", "why do they say that"),
    "preposition": (
        "in this case ,", "at this point ,", "for this reason ,", "in the end ,", "with that in mind ,",
        "on the other hand ,",
    ),
    "adverb": ("now", "then", "maybe", "sometimes", "perhaps", "here"),
}  # fmt: skip
"""By a short name of the template:

`clause` S(SBAR)(,)(NP)(VP)(.) · `declarative` S(NP)(VP)(.) · `imperative` S(VP)(.) · `noun` NP(NP)(.) ·
`fragment` FRAG(SBAR)(.) · `compound` S(S)(,)(CC)(S)(.) · `list` S(LST)(VP)(.) · `question` SBARQ(WHADVP)(SQ)(.) ·
`preposition` S(PP)(,)(NP)(VP)(.) · `adverb` S(ADVP)(NP)(VP)(.)
"""
