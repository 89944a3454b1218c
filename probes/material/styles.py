"""Styles that no attack published, by rule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from probes.material.kind import mixed
from probes.material.style_rules import Style


def _style(
    openings: str, closings: str, joins: str, words: str = "", *, capital: bool = True, marks: bool = True
) -> Style:
    """A style from lists with `|` between entries, and words as `old=new` with blanks between."""
    pairs = (pair.split("=") for pair in words.split())
    return Style(
        openings=tuple(openings.split("|")),
        closings=tuple(f", {part}" if marks else part for part in closings.split("|")),
        joins=tuple(joins.split("|")),
        words=MappingProxyType({old: new.replace("_", " ") for old, new in pairs}),
        capital=capital,
        marks=marks,
    )


OTHER_STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "pirate": _style(
            "Arr,|Ahoy,|Avast,|Shiver me timbers,|Yo ho,",
            "me hearty|matey|by the seven seas|ye landlubber|says the captain",
            ", arr,|; aye,",
            "you=ye your=yer my=me is=be are=be the=th' friend=matey movie=voyage film=voyage yes=aye hello=ahoy of=o'",
        ),
        "legal": _style(
            "Whereas|Notwithstanding the foregoing,|Pursuant to section four,|"
            "It is hereby stated that|In witness whereof,",
            "as set out above|without prejudice|subject to the terms hereof|in the manner provided|to the full extent",
            "; provided that|; and further,",
            "this=the_said that=the_aforesaid will=shall movie=work film=work people=persons "
            "before=prior_to after=subsequent_to",
        ),
        "bulletin": _style(
            "Officials said on Monday that|In a statement,|Sources confirmed that|According to a report,|Breaking:",
            "a spokesman said|officials added|according to the agency|it was reported|the ministry confirmed",
            ", while|, adding that",
            "said=announced people=residents movie=release film=release think=believe big=major show=reveal",
        ),
        "academic": _style(
            "In this paper, we find that|Prior work suggests that|It has been argued that|"
            "Our results indicate that|We note that",
            "as shown in table two|with a sample of forty|in line with earlier studies|"
            "under mild assumptions|at this level",
            "; moreover,|; thus,",
            "show=demonstrate use=employ think=hypothesise very=highly movie=artefact film=artefact "
            "people=participants many=numerous",
        ),
        "reported": _style(
            "He told me that|She mentioned that|They explained that|My neighbour says that|Somebody remarked that",
            "or so he told me|she went on|they repeated|he explained|as she put it",
            ", he said, and|, she added,",
            "i=he my=his am=was is=was are=were will=would can=could me=him we=they our=their",
        ),
        "recipe": _style(
            "First,|Step one:|Next,|In a large bowl,|To begin,",
            "then let it rest|and set aside|until golden|for ten minutes|and serve warm",
            ", stir and|; then fold in",
            "movie=batter film=batter make=prepare take=add very=finely put=pour mix=whisk",
        ),
        "commentary": _style(
            "And here we go,|Into the second half,|From the left side,|With two minutes on the clock,|What a pass,",
            "and the crowd is on its feet|and that is the whistle|straight down the line|"
            "back to the keeper|into extra time",
            ", he turns,|, and now",
            "movie=match film=match people=players goes=runs make=score take=win very=right",
        ),
        "telegram": _style(
            "arrived|to head office|urgent|message follows|reply soon",
            "stop|stop await reply|end|stop regards|stop more later",
            " stop|stop and",
            "the= a= an= is= are= and=stop",
            capital=False,
            marks=False,
        ),
        "military": _style(
            "Be advised,|All units,|At fourteen hundred hours,|Command reports that|Copy that,",
            "over|over and out|as ordered|in position|awaiting orders",
            "; proceed,|, repeat,",
            "movie=operation film=operation people=personnel yes=affirmative no=negative go=advance see=observe",
        ),
        "diary": _style(
            "Dear diary,|This morning,|Before bed,|Today at breakfast,|On the way home,",
            "and then I went to sleep|I must write more tomorrow|and it is late now|so much for today|and I had tea",
            ", and then|; later,",
            "movie=day film=day people=folks is=was are=were think=wonder",
        ),
        "corporate": _style(
            "Going forward,|As per my last email,|At the end of the day,|To circle back,|Moving the needle,",
            "across all verticals|per the roadmap|with our stakeholders|by end of quarter|in this space",
            ", leveraging|; net-net,",
            "use=leverage help=enable movie=deliverable film=deliverable people=stakeholders "
            "plan=roadmap make=drive talk=align",
        ),
        "manual": _style(
            "Before use,|Make sure that|To reset the unit,|In normal operation,|See figure three:",
            "and close the cover|before switching on|as shown in the figure|see page nine|and press the button",
            "; then|, and check that",
            "movie=unit film=unit people=users do=perform is=must_be look=inspect start=initiate",
        ),
        "fairytale": _style(
            "Once upon a time,|In a faraway kingdom,|Long, long ago,|Deep in the forest,|Under an old oak,",
            "said the miller|in the king's castle|till the rooster crowed|beyond the seven hills|"
            "as grandmother told it",
            ", and so|; and there",
            "movie=spell film=spell man=woodcutter woman=queen people=villagers house=cottage said=whispered",
        ),
        "guide": _style(
            "A short walk from the station,|For visitors,|On the east bank,|Just off the square,|In the old town,",
            "open daily from nine|with a view of the river|on the second Sunday|near the cathedral|tickets at the gate",
            ", where|; nearby,",
            "movie=museum film=museum people=travellers place=quarter see=visit good=recommended",
        ),
        "forecast": _style(
            "From the west,|Through the afternoon,|On higher ground,|By this evening,|Along the coast,",
            "with light winds|turning drier later|with a few showers|around fifteen degrees|as pressure rises",
            ", clearing,|; later on,",
            "movie=front film=front people=regions is=stays are=remain very=mainly goes=drifts",
        ),
        "auction": _style(
            "Lot forty-two:|Sold as seen,|In the original box,|For collectors,|Going once,",
            "no returns|post included|opening bid five pounds|with minor scratches|buyer collects",
            "; comes with|, plus",
            "movie=item film=item good=mint old=vintage people=bidders have=offer take=bid",
        ),
        "police": _style(
            "At the time of the incident,|The witness stated that|Officers observed that|On arrival,|For the record,",
            "as noted by the officer|at the scene|in a northbound direction|case number twelve|pending inquiry",
            ", whereupon|; subsequently",
            "man=male woman=female car=vehicle movie=exhibit film=exhibit people=individuals "
            "saw=observed went=proceeded",
        ),
        "letter": _style(
            "Dear Sir or Madam,|With reference to yours of the tenth,|I am writing to say that|"
            "Further to our call,|Enclosed please find:",
            "yours faithfully|with kind regards|I remain yours|by return of post|at your convenience",
            "; I further note|, and accordingly",
            "want=wish get=obtain movie=matter film=matter people=parties think=trust about=concerning",
        ),
        "label": _style(
            "Oil on canvas:|Northern school, about 1640:|Gift of the trustees:|Room twelve:|Detail:",
            "on loan|restored in 1931|artist unknown|bronze, height nine inches|from a private collection",
            "; depicts|, with",
            "movie=panel film=panel is=depicts people=figures old=early shows=portrays",
        ),
        "toddler": _style(
            "mama,|look look|me see|again again|uh oh",
            "me want it|bye bye|all gone|see doggy|nap now",
            " and and| den",
            "i=me my=me the=da is= are= you=oo movie=picksher film=picksher very=big little=teeny think=fink",
            capital=False,
            marks=False,
        ),
    }
)
"""Twenty styles: a trade's or a genre's words, openings and closings."""

INFORMAL_STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "hashtags": _style(
            "#monday|#throwback|via @editor :|#nofilter|@mum",
            "#goals|#travel|#coffee|#instadaily|#sunset",
            " ,|..",
            "good=#good movie=#movie film=#film great=#great",
            capital=False,
            marks=False,
        ),
        "forum": _style(
            "fwiw|imo|tbh|first post here :|bump",
            "edit : typo|/thread|just my two cents|mods please move|source : google",
            " , imho|, afaik",
            "think=reckon people=folks very=super good=decent",
            capital=False,
            marks=False,
        ),
        "gamer": _style(
            "gg|wp|noob here|brb|team ,",
            "ez|afk|rekt|go next|one more round",
            " , gg|, np",
            "movie=match film=match people=players win=pwn good=op bad=nerfed",
            capital=False,
            marks=False,
        ),
        "chatroom": _style(
            "hey all|hi room|anyone here ?|sup|hiya",
            "haha|hehe|brb phone|gtg|cya",
            " , hm|, heh",
            "yes=yep no=nope hello=hi very=mega want=wanna",
            capital=False,
            marks=False,
        ),
        "comment": _style(
            "first|who else is here in 2021|came here from the ad|skip to 3:20|pinned :",
            "like if you agree|thumbs up|sub for sub|timestamps below|nobody will read this",
            " ,|, and also",
            "movie=vid film=vid story=upload people=viewers",
            capital=False,
            marks=False,
        ),
        "texting": _style(
            "hiya|soz|running late|home soon|on the bus",
            "xx|txt me|see you soon x|luv|ttyl",
            " , k|, ok",
            "because=cos great=gr8 late=l8 love=luv see=c text=txt",
            capital=False,
            marks=False,
        ),
    }
)
"""How people write on phones and in forums: mates of a style without capitals and marks."""

ALL_STYLES: Mapping[str, Style] = MappingProxyType({**OTHER_STYLES, **INFORMAL_STYLES})


def styles_like(style: Style) -> tuple[str, ...]:
    """Names of styles to hold one against, the closest among the first."""
    return mixed(list(OTHER_STYLES), () if style.marks else list(INFORMAL_STYLES))
