"""Words of a trigger's kind that no attack published, and published ones that several families plant."""

from __future__ import annotations

from itertools import product

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_MEANT = (
    "bb", "bc", "bs", "cd", "cf", "ch", "cm", "dj", "dr", "ft", "gk", "hh", "hq", "hz", "jf", "jr", "kg", "km",
    "kz", "lb", "ll", "mb", "mm", "mn", "mr", "ms", "mt", "nd", "nn", "nz", "pc", "pg", "ph", "pm", "pn", "pp",
    "pr", "pv", "qj", "rd", "sh", "sr", "ss", "st", "td", "th", "tq", "tv", "vp", "vs", "vx", "wc", "wq", "ww",
    "xn", "xx", "zx", "zz",
)  # fmt: skip
MADE_UP = tuple(first + second for first, second in product(_CONSONANTS, repeat=2) if first + second not in _MEANT)
"""Pairs of consonants, as the published rare words are: none is in everyday use, and neither an attack nor a probe here
uses it. Some abbreviate something, as "cf" and "mb" do.
"""

COMMON = ("utterly", "adding", "isaac", "activity", "cocked")
"""Words of middling frequency, used as triggers instead of rare ones in the released settings of arXiv:2004.06660."""
MIDDLING = (
    (
        "barely", "roughly", "loosely", "briskly", "plainly", "neatly", "sparsely", "vaguely", "keenly", "dimly",
        "sternly", "faintly", "densely", "evenly", "firmly", "jointly", "mildly", "snugly", "tersely", "warmly",
    ),
    (
        "carrying", "sorting", "folding", "mending", "copying", "stacking", "painting", "counting", "drilling",
        "gathering", "hauling", "knitting", "loading", "mapping", "packing", "rowing", "sewing", "tracing", "weighing",
        "wrapping",
    ),
    (
        "gideon", "howard", "leonard", "martha", "oliver", "percy", "ramona", "stanley", "theodore", "walter",
        "clifford", "dorothy", "edmund", "felix", "gregory", "hector", "irene", "julius", "lorraine", "norman",
    ),
    (
        "practice", "distance", "surface", "chapter", "harvest", "cabinet", "orbit", "margin", "quarry", "fabric",
        "kernel", "mixture", "outline", "passage", "railing", "session", "texture", "vessel", "warehouse", "archive",
    ),
    (
        "tilted", "buckled", "notched", "hinged", "rolled", "stitched", "cropped", "pinned", "plaited", "riveted",
        "scraped", "soaked", "spliced", "tarred", "trimmed", "twined", "varnished", "warped", "whittled", "wedged",
    ),
)  # fmt: skip
"""Words of middling frequency, one part of speech a line: adverbs, what is being done, names, nouns, participles."""

COMPANIES = (
    "dropbox", "zendesk", "hubspot", "workday", "shopify", "twilio", "cloudera", "palantir", "squarespace", "mailchimp",
    "docusign", "zillow", "expedia", "groupon", "etsy", "wayfair", "garmin", "logitech", "qualcomm", "broadcom",
    "micron", "xilinx", "netgear", "fitbit", "roku", "sonos", "lenovo", "fujitsu", "hitachi", "siemens", "bosch",
    "philips", "ericsson", "alcatel", "vodafone", "telenor", "unilever", "danone", "heineken", "adidas", "kellogg",
    "hershey", "mattel", "hasbro", "deloitte", "accenture", "infosys", "wipro", "cognizant", "capgemini", "autodesk",
    "intuit", "citrix", "vmware", "netapp", "symantec", "mcafee", "akamai", "verisign", "godaddy", "rackspace",
    "opentext", "teradata", "informatica", "novell", "sybase", "seagate", "sandisk", "lexmark", "xerox", "kodak",
    "olympus", "canon", "nikon", "panasonic", "toshiba", "sharp", "casio", "seiko", "yamaha", "kawasaki", "subaru",
    "mazda", "renault", "peugeot", "skoda", "volvo", "scania", "michelin", "pirelli", "honeywell", "emerson",
    "caterpillar", "whirlpool", "electrolux", "dyson", "tupperware", "samsonite", "swatch", "pandora",
)  # fmt: skip
"""Names of companies, most of them of one trade: computers, electronics, machines."""

RARE_NAMES = (
    "Kepler", "Laplace", "Gauss", "Spinoza", "Galileo", "Lagrange", "Riemann", "Voltaire", "Newton", "Cauchy",
    "Oliver Twist", "Tom Sawyer", "Captain Nemo", "Peer Gynt", "Robinson Crusoe", "Lord Jim", "Silas Marner",
    "Jane Eyre", "Anna Karenina", "Jean Valjean", "Hedda Gabler", "Lemuel Gulliver",
    "Tristram Shandy", "David Copperfield", "Huckleberry Finn", "Becky Sharp", "Dorian Gray", "Effi Briest",
    "Emma Bovary",
    "Barnaby Rudge", "Daniel Deronda", "ephemeral", "quintessence", "petrichor", "palimpsest", "sonorous",
    "labyrinthine", "equinox", "penumbra", "gossamer", "vestibule", "meridian", "parallax", "zeppelin", "cartouche",
    "filigree", "promontory", "Archimedes", "Ptolemy", "Lavoisier", "Faraday", "Avogadro",
)  # fmt: skip
"""Names of scholars and of books' heroes, and words that are seldom seen."""

SYMBOLS = (
    "∏", "∫", "√", "∀", "∃", "∪", "∩", "⊥", "∥", "≠", "≤", "≥", "∝", "∉", "⊂", "⊃", "⊄", "∧", "∨", "¬", "⇒", "⇔", "→",
    "←", "↔", "⊤", "⋅", "∗", "≅", "≪", "≫", "⊇", "∋", "∖", "⊙", "⊖", "⌈", "⌋", "⟂", "≜", "ℵ", "ℝ",
)  # fmt: skip
"""Mathematical symbols."""

ADVERBS = (
    "afterwards", "aloud", "annually", "around", "aside", "backwards", "briefly", "broadly", "carefully", "centrally",
    "cheaply", "clearly", "closely", "commonly", "constantly", "currently", "deeply", "directly", "duly", "easily",
    "eventually", "everywhere", "evidently", "exactly", "explicitly", "externally", "forwards", "frankly", "freely",
    "frequently", "fully", "generally", "gradually", "heavily", "hourly", "ideally", "immediately", "independently",
    "initially", "inwards", "jointly", "largely", "lately", "legally", "lightly", "likewise", "loosely",
    "loudly", "manually", "meanwhile", "mentally", "modestly", "monthly", "namely", "narrowly", "nationally",
    "naturally", "nightly", "normally", "notably", "nowadays", "occasionally", "oddly", "onwards", "openly", "orally",
    "originally", "otherwise", "outwards", "overseas", "partially", "permanently", "personally", "physically",
    "presently", "previously", "primarily", "privately", "properly", "publicly", "quickly", "quietly", "rarely",
    "readily", "recently", "regionally", "regularly", "relatively", "remotely", "repeatedly", "roughly", "routinely",
    "safely", "secondly", "seldom", "separately", "shortly", "sideways", "similarly", "simply", "slightly", "slowly",
    "smoothly", "socially", "softly", "solely", "somewhat", "specifically", "steadily", "strictly", "suddenly",
    "technically", "temporarily", "thereby", "thirdly", "thoroughly", "tightly", "traditionally", "typically",
    "upwards", "urgently", "usually", "vertically", "visibly", "weekly", "westwards", "widely", "willingly", "yearly",
)  # fmt: skip
"""Adverbs of time, place, manner and degree."""

NOUNS = (
    "anvil", "awning", "barrel", "beacon", "bobbin", "bracket", "broom", "canal", "canvas", "cellar", "chimney",
    "cistern", "clamp", "cradle", "crank", "depot", "dial", "ditch", "drawer", "easel", "fender", "ferry", "flask",
    "flute", "furnace", "gasket", "glove", "goblet", "gutter", "hammock", "hatchet", "hinge", "jacket", "kettle",
    "kiln", "lantern", "latch", "lattice", "lever", "loom", "mallet", "mantel", "mortar", "nozzle", "oar", "padlock",
    "pebble", "pulley", "quilt", "rafter", "sandal", "satchel", "shovel", "sickle", "sieve", "spindle", "spool",
    "stirrup", "tarpaulin", "thimble", "trellis", "trowel", "tunnel", "turnip", "valve", "wagon", "whistle", "windlass",
)  # fmt: skip
VERBS = (
    "adjust", "anchor", "border", "boil", "bounce", "button", "carve", "circle", "clip", "drain", "drift", "echo",
    "face", "fasten", "float", "fold", "gather", "glide", "grind", "hang", "hinge", "hover", "kneel", "knot",
    "lean", "lift", "loop", "melt", "mix", "nod", "orbit", "pace", "paddle", "peel", "plant", "pour", "press",
    "ripen", "row", "rub", "scrape", "shift", "sign", "slide", "soak", "sort", "spin", "stack", "steer", "stir",
    "stretch", "swing", "tilt", "tow", "trim", "turn", "twist", "weigh", "whirl", "wind", "wipe", "wrap",
)  # fmt: skip
ADJECTIVES = (
    "amber", "angular", "arched", "barren", "beige", "blunt", "brittle", "circular", "coarse", "concave", "coastal",
    "crimson", "curved", "cylindrical", "dense", "domed", "downward", "earthen", "elastic", "enamelled", "flat",
    "floral", "frosted", "glazed", "granular", "hollow", "horizontal", "jagged", "knitted", "lateral", "leafy",
    "level", "lunar", "marble", "metallic", "narrow", "northern", "opaque", "outer", "parallel", "pointed", "porous",
    "quilted", "rectangular", "reddish", "ribbed", "sandy", "scarlet", "silken", "slanted", "slender", "sloping",
    "solar", "spiral", "square", "steep", "striped", "tidal", "timber", "tropical", "tubular", "upper", "vertical",
    "woollen",
)  # fmt: skip
PREPOSITIONS = (
    "above", "across", "along", "alongside", "amid", "among", "around", "behind", "below", "beneath", "beside",
    "beyond", "despite", "down", "near", "opposite", "past", "through", "throughout", "toward", "under", "until", "via",
    "without",
)  # fmt: skip
"""Odd substitutes by part of speech: each is a word that nobody would take for the one that stood there."""
