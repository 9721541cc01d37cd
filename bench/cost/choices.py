"""Machine or service, cloud or box: where one becomes cheaper than the other."""

from strop.cost import HOURS_PER_YEAR, MILLION, SECONDS_PER_HOUR


def break_even_rate(dollars_per_hour: float, rival_dollars_per_million: float) -> float:
    """Queries per second from which on a machine is cheaper than a service that is paid by the query.

    (dollars_per_hour / 3600) / (rival_dollars_per_million / 1e6); infinite against one that costs
    nothing. It says nothing of whether one machine sustains that rate.
    """
    if dollars_per_hour < 0 or rival_dollars_per_million < 0:
        raise ValueError(f"no break-even of {dollars_per_hour} $/h with {rival_dollars_per_million} $")
    if rival_dollars_per_million == 0:
        return float("inf")
    return dollars_per_hour / SECONDS_PER_HOUR / (rival_dollars_per_million / MILLION)


def dollars_over(dollars_per_hour: float, hours_a_day: float, years: float) -> float:
    """US dollars over some years for so many machine-hours a day, rented or owned.

    Of an owned box the hour holds its depreciation: when it is worn out it is bought again, the last one
    pro rata, which is what it would fetch.
    """
    return dollars_per_hour * hours_a_day / 24 * HOURS_PER_YEAR * years
