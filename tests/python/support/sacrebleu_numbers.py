"""Numbers that sacreBLEU 2.6.0 gave for a small corpus, so that equality is tested where it is not installed."""

HYPOTHESES = [
    "Guten Tag, Herr Müller!",
    "Es kostet 3.50 Euro (ohne MwSt.) ...",
    "&quot;Ja&quot;, sagte sie - und ging.",
    "das ist ein Test",
    "我有3.5个苹果。",
    "Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster.",
]
REFERENCES = [
    "Guten Tag, Frau Müller!",
    "Es kostet 3,50 Euro (mit MwSt.)...",
    '"Ja", sagte sie und ging - schnell.',
    "Das ist kein Test.",
    "我有3.5个红苹果。",
    "Ein Mann in einem blauen Hemd steht auf einer Leiter und reinigt ein Fenster.",
]
SECOND_REFERENCES = ["Guten Abend, Herr Müller!", None, '"Ja", sagte sie - und ging langsam.', "", "我吃了苹果", None]
OTHER_SYSTEM = [
    "Guten Tag, Frau Müller!",
    "Es kostet 3,50 Euro (ohne MwSt.) ...",
    '"Ja", sagte sie - und ging.',
    "Das ist ein Test.",
    "我有3.5个苹果。",
    "Ein Mann in einem roten Hemd steht auf der Leiter und putzt ein Fenster.",
]

# Options, score with REFERENCES, score with both streams, the first one as text, its signature but for references and
# version.
LENGTHS = " (BP = 0.959 ratio = 0.960 hyp_len = 48 ref_len = 50)"
BLEU = [
    (
        {"tokenize": "13a"},
        57.36535958369494,
        67.36194104411138,
        "BLEU = 57.37 85.4/66.7/51.4/43.8" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:exp",
    ),
    (
        {"tokenize": "intl"},
        46.77492994173727,
        56.49474865997258,
        "BLEU = 46.77 75.5/53.2/39.0/30.6 (BP = 1.000 ratio = 1.039 hyp_len = 53 ref_len = 51)",
        "case:mixed|eff:no|tok:intl|smooth:exp",
    ),
    (
        {"tokenize": "zh"},
        48.79678320869407,
        57.6653204514054,
        "BLEU = 48.80 79.3/57.7/41.3/30.0 (BP = 1.000 ratio = 1.018 hyp_len = 58 ref_len = 57)",
        "case:mixed|eff:no|tok:zh|smooth:exp",
    ),
    (
        {"tokenize": "char"},
        74.05978480008292,
        78.53921506333252,
        "BLEU = 74.06 84.9/77.5/71.4/65.5 (BP = 0.994 ratio = 0.994 hyp_len = 166 ref_len = 167)",
        "case:mixed|eff:no|tok:char|smooth:exp",
    ),
    (
        {"tokenize": "none"},
        46.0065326758241,
        52.83328216261071,
        "BLEU = 46.01 66.7/46.7/36.0/40.0 (BP = 1.000 ratio = 1.000 hyp_len = 36 ref_len = 36)",
        "case:mixed|eff:no|tok:none|smooth:exp",
    ),
    (
        {"max_ngram_order": 12, "smooth_method": "exp"},
        29.730869888193595,
        36.20858690328096,
        "BLEU = 29.73 85.4/66.7/51.4/43.8/40.7/34.8/26.3/25.0/23.1/20.0/14.3/10.0" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:exp",
    ),
    (
        {"max_ngram_order": 12, "smooth_method": "floor"},
        25.999207847549105,
        31.66387597485948,
        "BLEU = 26.00 85.4/66.7/51.4/43.8/40.7/34.8/26.3/25.0/23.1/20.0/14.3/2.0" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:floor[0.10]",
    ),
    (
        {"max_ngram_order": 12, "smooth_method": "add-k"},
        35.38136321267797,
        42.108413357552614,
        "BLEU = 35.38 85.4/67.4/52.6/45.5/42.9/37.5/30.0/29.4/28.6/27.3/25.0/16.7" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:add-k[1.00]",
    ),
    (
        {"max_ngram_order": 12, "smooth_method": "none"},
        0.0,
        0.0,
        "BLEU = 0.00 85.4/66.7/51.4/43.8/40.7/34.8/26.3/25.0/23.1/20.0/14.3/0.0" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:none",
    ),
    (
        {"smooth_method": "add-k", "smooth_value": 0.5},
        57.91299564827132,
        67.74633628662065,
        "BLEU = 57.91 85.4/67.1/52.0/44.6" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:add-k[0.50]",
    ),
    (
        {"lowercase": True},
        58.22051869058004,
        68.28265113085595,
        "BLEU = 58.22 87.5/69.0/51.4/43.8" + LENGTHS,
        "case:lc|eff:no|tok:13a|smooth:exp",
    ),
    (
        {"max_ngram_order": 2},
        72.38191628803493,
        78.31749121915337,
        "BLEU = 72.38 85.4/66.7" + LENGTHS,
        "case:mixed|eff:no|tok:13a|smooth:exp",
    ),
    (
        {"effective_order": True},
        57.36535958369494,
        67.36194104411138,
        "BLEU = 57.37 85.4/66.7/51.4/43.8" + LENGTHS,
        "case:mixed|eff:yes|tok:13a|smooth:exp",
    ),
]
CHRF = [
    ({}, 68.46346683302242, 70.75635077593122, "chrF2 = 68.46", "case:mixed|eff:yes|nc:6|nw:0|space:no"),
    (
        {"word_order": 2},
        67.30163111463092,
        69.67919240334754,
        "chrF2++ = 67.30",
        "case:mixed|eff:yes|nc:6|nw:2|space:no",
    ),
    (
        {"word_order": 1, "char_order": 4},
        74.5789585036102,
        75.7529464406209,
        "chrF2+ = 74.58",
        "case:mixed|eff:yes|nc:4|nw:1|space:no",
    ),
    ({"beta": 1}, 68.59825407738755, 70.99213905440578, "chrF1 = 68.60", "case:mixed|eff:yes|nc:6|nw:0|space:no"),
    ({"beta": 3}, 68.41865538144802, 70.70995869959312, "chrF3 = 68.42", "case:mixed|eff:yes|nc:6|nw:0|space:no"),
    ({"lowercase": True}, 69.12525402857315, 71.33101557165944, "chrF2 = 69.13", "case:lc|eff:yes|nc:6|nw:0|space:no"),
    (
        {"remove_whitespace": False},
        72.35846813403074,
        73.99347289558183,
        "chrF2 = 72.36",
        "case:mixed|eff:yes|nc:6|nw:0|space:yes",
    ),
    (
        {"eps_smoothing": True, "word_order": 2},
        67.30154588744595,
        69.67910351255892,
        "chrF2++ = 67.30",
        "case:mixed|eff:no|nc:6|nw:2|space:no",
    ),
    (
        {"char_order": 0, "word_order": 2},
        63.815789473684205,
        66.44736842105263,
        "chrF2++ = 63.82",
        "case:mixed|eff:yes|nc:0|nw:2|space:no",
    ),
]

# Sentence by sentence with all references: BLEU, BLEU by floor without effective order, chrF, chrF++
SENTENCES = [
    (70.71067811865478, 70.71067811865478, 62.362401100791196, 64.68846749226006),
    (51.56626918239821, 51.56626918239821, 64.577034122411, 59.30833453707582),
    (81.76129038784515, 81.76129038784515, 55.59196145660273, 59.76048446930435),
    (14.794015674776452, 7.440995947486906, 54.9220683786399, 46.40188903029368),
    (0.0, 0.0, 55.82856691752248, 47.85305735787641),
    (80.03203203845001, 80.03203203845001, 86.65445122647337, 87.37465807735538),
]

# By metric, for the baseline HYPOTHESES and for OTHER_SYSTEM with REFERENCES, 200 resamples, seed 12345: score, mean,
# half width, p-value. Computed in double precision: see test_translation_bootstrap.py.
BOOTSTRAP = {
    "bleu": [
        (57.36535958369494, 54.21948599734271, 19.628680730395033, None),
        (56.594922378124856, 57.75217682931674, 19.52378413125152, 0.44776119402985076),
    ],
    "chrf": [
        (68.46346683302242, 64.9063122752349, 16.4990153413094, None),
        (72.0407972658767, 72.30937121020807, 9.566976024076553, 0.35323383084577115),
    ],
    "chrf++": [
        (67.30163111463092, 63.90276360278045, 15.460934703456193, None),
        (71.76400735907724, 72.05670751431319, 9.017844491788573, 0.34328358208955223),
    ],
}
