"""The small tables: most are small themselves, and larger ones are cut.

The defaults of skreg were chosen on them.
"""

import numpy as np
from table_sources import bundled, classes, keel, numbers, r_package

# They describe the species, not the leaf.
OF_SPECIES = tuple(
    "apex base shape denate_edge lobed_edge smooth_edge toothed_edge "
    "undulate_edge".split()
)


def cps1988():
    """Return wages on a log scale."""
    table = r_package("AER", "CPS1988")()
    return table.assign(wage=np.log(table["wage"]))


TABLES = {
    "breast_cancer": classes(bundled("breast_cancer"), "target"),
    "vehicle": classes(keel("vehicle")),
    "segment": classes(keel("segment"), is_unique=True),
    "phoneme": classes(keel("phoneme"), is_unique=True),
    "satimage": classes(keel("satimage")),
    "letter": classes(keel("letter")),
    "spambase": classes(keel("spambase"), is_unique=True),
    "splice": classes(keel("splice"), is_unique=True),
    "german_credit": classes(keel("german")),
    "contraceptive": classes(keel("contraceptive"), nominal=("x4", "x5", "x6", "x8")),
    # The speaker, and whether he is one to train on.
    "vowel": classes(keel("vowel"), drop=("x0", "x1", "x2")),
    "credit_status": classes(r_package("modeldata", "credit_data"), "Status"),
    "leaf_species": classes(
        r_package("modeldata", "leaf_id_flavia"), "species", drop=OF_SPECIES
    ),
    "orange_juice": classes(
        r_package("ISLR", "OJ"),
        "Purchase",
        drop=("Store7", "STORE"),
        nominal=("StoreID",),
    ),
    "car_crash_death": classes(
        r_package("DAAG", "nassCDS"), "dead", drop=("weight", "injSeverity", "caseid")
    ),
    "chile_vote": classes(r_package("carData", "Chile"), "vote"),
    "email_spam": classes(
        r_package("openintro", "email"), "spam", drop=("time", "from")
    ),
    "diabetes": numbers(bundled("diabetes"), "target"),
    "concrete": numbers(
        r_package("modeldata", "concrete"), "compressive_strength", is_unique=True
    ),
    "diamonds": numbers(r_package("ggplot2", "diamonds"), "price", is_unique=True),
    "ames_housing": numbers(r_package("modeldata", "ames"), "Sale_Price"),
    "wage": numbers(r_package("ISLR", "Wage"), "wage", drop=("logwage", "region")),
    "computers": numbers(r_package("Ecdat", "Computers"), "price", is_unique=True),
    "saratoga_houses": numbers(r_package("mosaicData", "SaratogaHouses"), "price"),
    "cps_wage": numbers(cps1988, "wage"),
    "doctor_visits": numbers(r_package("AER", "DoctorVisits"), "visits"),
}
