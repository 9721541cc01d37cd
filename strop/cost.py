"""What a machine costs: an hour of it, and a query of so many in that hour. Pure, and every stage's."""

HOURS_PER_YEAR = 8760.0
SECONDS_PER_HOUR = 3600.0
JOULES_PER_KWH = 1000 * SECONDS_PER_HOUR
MILLION = 1e6


def dollars_per_million(dollars_per_hour: float, rate: float, utilisation: float) -> float:
    """US dollars per million queries on a machine that is paid for by the hour, used or not.

    1e6 x (dollars_per_hour / 3600) / (rate x utilisation), with ``rate`` in queries per second
    sustained within the SLO and ``utilisation`` the share of it in use on average, in (0, 1]. With
    tokens per second it is the price of a million tokens.
    Example: 0.36 $/h at 100 queries/s is 0.0001 $/s over 100 queries, so 1 $ per million.
    """
    if dollars_per_hour < 0 or rate <= 0 or not 0 < utilisation <= 1:
        raise ValueError(f"no cost for {dollars_per_hour} $/h at {rate} queries/s x {utilisation}")
    return MILLION * (dollars_per_hour / SECONDS_PER_HOUR) / (rate * utilisation)


def owned_dollars_per_hour(price: float, years: float, watts: float, dollars_per_kwh: float) -> float:
    """US dollars per hour of a box that was bought: straight-line depreciation and electricity.

    price / (years x 8760) + (watts / 1000) x dollars_per_kwh, with ``price`` in US dollars.
    Left out: space, network, hands, and what the money would have earned elsewhere.
    """
    if price < 0 or years <= 0 or watts < 0 or dollars_per_kwh < 0:
        raise ValueError(f"no cost for {price} $ over {years} years, {watts} W, {dollars_per_kwh} $/kWh")
    return price / (years * HOURS_PER_YEAR) + watts / 1000 * dollars_per_kwh


def discounted(dollars_per_hour: float, discount: float) -> float:
    """US dollars per hour after a discount for spot or reserved machines, a share in [0, 1)."""
    if not 0 <= discount < 1:
        raise ValueError(f"no price with a discount of {discount}")
    return dollars_per_hour * (1 - discount)


def joules_per_query(watts: float, rate: float) -> float:
    """Energy of a query in joules: ``watts`` above all, at ``rate`` queries per second. J = W s."""
    if watts < 0 or rate <= 0:
        raise ValueError(f"no energy for {watts} W at {rate} queries/s")
    return watts / rate


def kwh_per_million(joules: float) -> float:
    """Energy of a million queries of so many joules each, in kilowatt-hours of 3.6e6 joules."""
    if joules < 0:
        raise ValueError(f"no energy of {joules} J")
    return MILLION * joules / JOULES_PER_KWH


def energy_dollars_per_million(joules: float, dollars_per_kwh: float) -> float:
    """US dollars for the electricity of a million queries of so many joules each.

    Example: 0.36 J each are 0.1 kWh a million, which costs 0.02 $ at 0.20 $/kWh.
    """
    if dollars_per_kwh < 0:
        raise ValueError(f"no cost at {dollars_per_kwh} $/kWh")
    return kwh_per_million(joules) * dollars_per_kwh
