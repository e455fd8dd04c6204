"""The middle-sized tables, of 5,000 to 60,000 rows, none of which is a small one.

No default of skreg was chosen on them.
"""

import numpy as np
from table_sources import classes, keel, numbers, r_package

LEAST_OF_A_CLASS = 100


def frequent(read, target):
    """Return a reader of the same table without classes that are rare."""

    def read_frequent():
        table = read()
        counts = table[target].map(table[target].value_counts())
        return table[counts >= LEAST_OF_A_CLASS]

    return read_frequent


def logarithm(read, target):
    """Return a reader of the same table with the logarithm of the target."""

    def read_logarithm():
        table = read()
        return table.assign(**{target: np.log(table[target])})

    return read_logarithm


def words(text):
    """Return the words of a text."""
    return tuple(text.split())


TABLES = {
    "magic": classes(keel("magic"), is_unique=True),
    "penbased": classes(keel("penbased")),
    "phone_churn": classes(r_package("modeldata", "mlc_churn"), "churn"),
    "telco_churn": classes(r_package("modeldata", "wa_churn"), "churn"),
    "lending_club": classes(r_package("modeldata", "lending_club"), "Class"),
    "caravan": classes(
        r_package("ISLR", "Caravan"), "Purchase", nominal=("MOSTYPE", "MOSHOOFD")
    ),
    # What follows from the stop, and how it was recorded.
    "police_stops": classes(
        r_package("carData", "MplsStops"),
        "problem",
        drop=words("idNum date MDC citationIssued personSearch vehicleSearch"),
        nominal=("policePrecinct",),
        is_unique=True,
    ),
    # The time until death or the end of the study, and the cause of death.
    "light_chain_death": classes(
        r_package("survival", "flchain"), "death", drop=("futime", "chapter")
    ),
    # The cycles of the test, which decide its result, and the time until it is known.
    "covid_testing": classes(
        r_package("medicaldata", "covid_testing"),
        "result",
        drop=words("subject_id fake_first_name fake_last_name ct_result rec_ver_tat"),
    ),
    "rodents": classes(
        frequent(r_package("ratdat", "complete"), "species_id"),
        "species_id",
        drop=words("record_id genus species taxa"),
        nominal=("plot_id",),
    ),
    "trump_vote": classes(r_package("stevedata", "TV16"), "votetrump", drop=("uid",)),
    # "vhappy" is one of the classes, and columns of single years repeat the year.
    "happiness": classes(
        r_package("wooldridge", "happiness"),
        "happy",
        drop=words("vhappy y94 y96 y98 y00 y02 y04 y06"),
    ),
    # Operators and types of aircraft are too many for HistGradientBoosting.
    "bird_strikes": classes(
        frequent(r_package("openintro", "birds"), "phase_of_flt"),
        "phase_of_flt",
        drop=words("opid operator atype remarks date effect"),
    ),
    # What follows from the rate, and what happened after it was agreed.
    "loan_rate": numbers(
        r_package("openintro", "loans_full_schema"),
        "interest_rate",
        drop=words(
            "emp_title installment grade sub_grade loan_status balance paid_total "
            "paid_principal paid_interest paid_late_fees"
        ),
    ),
    "food_share": numbers(r_package("Ecdat", "BudgetFood"), "wfood"),
    "hotel_rates": numbers(
        r_package("modeldata", "hotel_rates"),
        "avg_price_per_room",
        drop=("arrival_date",),
        is_unique=True,
    ),
    "deliveries": numbers(r_package("modeldata", "deliveries"), "time_to_delivery"),
    "check_times": numbers(
        logarithm(r_package("modeldata", "check_times"), "check_time"),
        "check_time",
        drop=("package", "status"),
    ),
    # Shares of the ratings from one to ten.
    "movie_rating": numbers(
        r_package("ggplot2movies", "movies"),
        "rating",
        drop=("title", *(f"r{i}" for i in range(1, 11))),
    ),
    "women_wage": numbers(
        r_package("sampleSelection", "nlswork"),
        "ln_wage",
        drop=("idcode",),
        nominal=("race", "ind_code", "occ_code"),
    ),
    "income": numbers(
        logarithm(r_package("stevedata", "gss_wages"), "realrinc"),
        "realrinc",
        drop=("occ10",),
    ),
    # What is known after the flight, and names of aircraft and flights.
    "flight_delay": numbers(
        r_package("openintro", "nycflights"),
        "arr_delay",
        drop=words("arr_time air_time tailnum flight"),
    ),
}
