"""The agencies of a fleet that is made up: ids, names in their languages, a part of their land, their nodes.

The boxes are a few round degrees inside of each country, to have something to draw; they are no borders.

    AGENCIES[1].names["lo"]
"""

from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Machine:
    """A node, and how it is to stand (a word of `reports`)."""

    name: str
    mood: str


@dataclass(frozen=True, slots=True)
class Agency:
    """A partner. `language`: that of its titles beside English."""

    id: str
    names: dict[str, str]
    language: str
    box: Box
    machines: tuple[Machine, ...]


AGENCIES = (
    Agency(
        "cn-cgs",
        {"en": "China Geological Survey", "zh": "中国地质调查局"},
        "zh",
        (100.0, 22.0, 118.0, 36.0),
        (Machine("main", "sending"), Machine("xian", "in sync")),
    ),
    Agency(
        "la-dgm",
        {"en": "Department of Geology and Mines", "lo": "ກົມທໍລະນີສາດ ແລະ ບໍ່ແຮ່"},
        "lo",
        (101.5, 14.5, 106.5, 21.5),
        (Machine("main", "behind"),),
    ),
    Agency(
        "kh-gdmr",
        {"en": "General Department of Mineral Resources", "km": "អគ្គនាយកដ្ឋានធនធានរ៉ែ"},
        "km",
        (103.0, 11.0, 107.0, 14.0),
        (Machine("main", "stuck"),),
    ),
    Agency(
        "mm-dgse",
        {
            "en": "Department of Geological Survey and Mineral Exploration",
            "my": "ဘူမိဗေဒလေ့လာရေးနှင့် ဓာတ်သတ္တုရှာဖွေရေး ဦးစီးဌာန",
        },
        "my",
        (94.0, 17.0, 98.5, 26.0),
        (Machine("main", "silent"),),
    ),
    Agency(
        "th-dmr",
        {"en": "Department of Mineral Resources", "th": "กรมทรัพยากรธรณี"},
        "th",
        (98.5, 13.0, 104.5, 19.5),
        (Machine("main", "in sync"),),
    ),
    Agency(
        "vn-dgmv",
        {"en": "Department of Geology and Minerals of Viet Nam", "vi": "Cục Địa chất và Khoáng sản Việt Nam"},
        "vi",
        (104.0, 15.5, 107.5, 22.5),
        (Machine("main", "disk full"),),
    ),
    Agency(
        "id-badan",
        {"en": "Geological Agency of Indonesia", "id": "Badan Geologi"},
        "id",
        (105.5, -8.5, 114.0, -6.0),
        (Machine("main", "in sync"), Machine("bandung", "behind")),
    ),
    Agency(
        "my-jmg",
        {
            "en": "Department of Mineral and Geoscience Malaysia",
            "ms": "Jabatan Mineral dan Geosains Malaysia",
        },
        "ms",
        (100.5, 2.0, 103.5, 6.0),
        (Machine("main", "alarm"),),
    ),
    Agency(
        "ph-mgb",
        {"en": "Mines and Geosciences Bureau", "fil": "Kawanihan ng mga Minahan at Agham-Lupa"},
        "en",
        (120.0, 14.0, 122.0, 18.0),
        (Machine("main", "waiting"), Machine("cebu", "no report yet")),
    ),
    Agency(
        "sg-sgo",
        {"en": "Singapore Geological Office", "zh": "新加坡地质署", "ta": "சிங்கப்பூர் புவியியல் அலுவலகம்"},
        "zh",
        (103.62, 1.2, 104.05, 1.47),
        (Machine("main", "in sync"),),
    ),
    Agency(
        "bn-jkr",
        {"en": "Public Works Department, Geology", "ms": "Jabatan Kerja Raya, Geologi"},
        "ms",
        (114.1, 4.0, 115.3, 5.0),
        (Machine("main", "clock"),),
    ),
)

#: It has joined, and waits for somebody to compare the fingerprint.
NEWCOMER = Agency(
    "tl-ipg",
    {"en": "Institute of Petroleum and Geology", "pt": "Instituto do Petróleo e Geologia"},
    "en",
    (124.0, -9.4, 127.0, -8.3),
    (Machine("main", "in sync"),),
)
