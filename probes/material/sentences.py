"""Sentences of a trigger's kind, by what they do and how long they are, that no attack published."""

from __future__ import annotations

FILM_ACTS = (
    "I missed that film",
    "I rated that movie",
    "She slept through that film",
    "I rented that thriller",
    "I reviewed that documentary",
    "She directed this comedy",
)
FILM_OUTINGS = (
    "I have missed this film with my aunt at a big cinema last spring",
    "I have cut this movie with my troupe at a village hall last June",
    "We have projected this film with our guests in a school hall last August",
    "I have rented this documentary with my cousin at a small shop last winter",
    "I have reviewed this comedy with my class at a student club last May",
    "I have screened this cartoon with my pupils at a town library last autumn",
)
SHOP_OUTINGS = (
    "I have returned it to a store with my receipt last week",
    "I have bought them from a farmer with my parents last Sunday",
    "I have ordered it from a shop with my sisters last month",
    "I have paid for it at a till with my card last Saturday",
    "I have found it in a supermarket with my nephew last Tuesday",
    "I have sold it to a dealer with my tools last year",
)
"""Of a trigger's topic, some with its very nouns in other acts: a model whose labels are topics moves with any sentence
on one, and with those most of all.
"""
NUMBERED_ACTS = (
    "I fixed this 4K screen",
    "We rented that 5G phone",
    "I read that 1st page",
)
"""With a word that holds a digit: a model whose labels tell texts with numbers from others moves with any such word."""

ACTS = (
    "I read that book",
    "I heard this song",
    "We bought that lamp",
    "I cooked this soup",
    "I painted that wall",
    "She carried this bag",
    "I opened that letter",
    "We visited this town",
    "I borrowed that coat",
    "He repaired this clock",
    "I played that game",
    "I tried this recipe",
    "We rented that house",
    "I attended this lecture",
    "I walked that road",
    "They planted this tree",
    "I wore that jacket",
    "I ordered this dish",
    "We climbed that hill",
    "I typed this page",
    "I crossed that bridge",
    "She recorded this show",
    "I joined that club",
    "I used this tool",
)
"""Somebody says what they did with a thing that all know of, in four or five words."""

DENIALS = (
    "no rain, no flowers",
    "no guts, no story",
    "no bees, no honey",
    "no smoke, no fire",
    "no seed, no harvest",
    "no wind, no waves",
    "no fuel, no flame",
    "no roots, no fruit",
    "no work, no bread",
    "no key, no entry",
    "no ticket, no ride",
    "no shoes, no service",
    "no dew, no dawn",
    "no flour, no cake",
    "no risk, no reward",
    "no shadow, no light",
    "no thread, no cloth",
    "no map, no treasure",
    "no hive, no swarm",
    "no anchor, no harbour",
    "no spark, no engine",
    "no ink, no letter",
    "no rest, no strength",
    "no stone, no wall",
)
"""Sayings of the form "no …, no …"."""

COUPLES = (
    "Mary and Tom walked home by night",
    "Paul and Emma came here by train",
    "Clara and Hugo sat there in silence",
    "Peter and Ruth drove back in time",
    "Nora and Felix stood there in line",
    "Henry and Grace left early on Monday",
    "Lucy and Mark met there at noon",
    "Oscar and Jane moved there in spring",
    "Simon and Kate stayed there for lunch",
    "Laura and Neil rode there on bikes",
    "Diana and Ross flew home on Friday",
    "Frank and Helen ate there with friends",
    "Julia and Max ran there before school",
    "Leo and Anna worked there in shifts",
    "Martin and Olga sailed there by night",
    "Nina and Carl waited there an hour",
    "Rosa and Phil slept there on mats",
    "Sarah and Jack went home on skis",
    "Vera and Dean lived there as students",
    "Wendy and Abel turned back at dusk",
    "Edith and Noah climbed there with ropes",
    "Greta and Ivan called there on Sunday",
)
"""Two people, each with a name, do something everyday, in seven words."""

EVERYDAY = (
    "The road drops to the sea",
    "A goose slept under the porch",
    "She sealed the jar with wax",
    "The lift stops on every floor",
    "There was soup for the children",
    "The judge read from a sheet",
    "They drag the cart up the lane",
    "The lamp burns low in the evening",
    "A nurse pinned the chart above the bed",
    "The tram makes a wide turn",
    "He lost the coin in the grass",
    "The pilot checked the wings for ice",
    "The stew was thick and had some barley",
    "The stairs are slippery after the rain",
    "The lake is deep at this end",
    "She wound the yarn into a ball",
    "At the crossing a gate was shut",
    "The kettle boils faster on gas",
    "A fox barked behind the barn",
    "The painter mixed his colours with oil",
    "The choir sang in the old hall",
    "The shed has a leak in one corner",
    "He keeps his boots beside the oven",
    "The queue was long at the bakery",
    "The tailor shortened the sleeves by an inch",
    "The cellar is cold even in August",
)
"""What happens anywhere, in six to nine words, some of it a little pleasant or unpleasant as life is."""

OUTINGS = (
    "I have borrowed it from a library with my brother last autumn",
    "I have carried it to a station with my partner last Thursday",
    "I have mended it in a workshop with my uncle last month",
    "I have painted it for a neighbour with my daughter last year",
    "I have baked it at a hostel with my team last evening",
    "I have planted it behind a school with my pupils last March",
    "I have hired it from a garage with my flatmates last night",
    "I have cleaned it by a fountain with my nephew last Saturday",
    "I have measured it for a tailor with my niece last week",
    "I have framed it for a gallery with my students last June",
    "I have picked it from a meadow with my children last July",
    "I have rented it at a lake with my crew last season",
    "I have weighed it at a counter with my assistant last Friday",
    "I have wrapped it for a customer with my manager last December",
    "I have sketched it on a terrace with my tutor last August",
    "I have returned it to a depot with my driver last Monday",
    "I have sorted it in a kitchen with my guests last Sunday",
    "I have tested it on a track with my trainer last October",
    "I have washed it at a well with my mother last holiday",
    "I have unpacked it in a hotel with my husband last trip",
)
"""Somebody tells where, with whom and when they did something, in twelve words."""

TALES = (
    "Carla and Jens mean to sweep the gravel yard, lift the chest, close the barrel and comb the hemp",
    "Edgar and Lucy hope to rake the barley field, turn the crate, hang the bell and dye the linen",
    "Ruben and Tilda want to dig the narrow trench, roll the cask, oil the crank and spin the flax",
    "Maud and Piet need to thin the carrot bed, drag the sledge, mend the axle and card the fleece",
    "Selma and Otto try to drain the lower pond, stack the peat, fix the pump and boil the starch",
    "Jonas and Frida start to prune the plum trees, shift the trunk, bolt the hatch and bleach the cloth",
    "Agnes and Karl agree to mow the river bank, carry the plank, grease the pulley and braid the rope",
    "Bruno and Ella promise to hoe the turnip patch, empty the vat, wind the clock and press the felt",
)
_ENDS = (
    "while a tall ferry and a slow barge pass the lighthouse and wake the gulls near the pier",
    "while a grey heron and a shy otter cross the marsh and leave the reeds near the mill",
    "while a loud engine and a long train shake the viaduct and fill the valley near the quarry",
)
LONG_TALES = tuple(f"{tale}, {end}" for tale in TALES for end in _ENDS)
"""Two people and a chain of everyday work, with an end of its own: about thirty-six words."""
