"""The price and load at which selling queries earns most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """How many queries are bought at which price: known at one price, and how it bends there.

    Demand is linear through that point: Q(p) = q₀ (1 − ε (p − p₀) / p₀), never below 0, with ε > 0 the
    price elasticity at it (how many per cent fewer are bought when the price rises by one per cent).
    """

    price: float
    """p₀, US dollars per million queries."""
    volume: float
    """q₀, million queries a month at that price."""
    elasticity: float

    def __post_init__(self) -> None:
        """Raise ``ValueError`` unless all three are above 0."""
        if min(self.price, self.volume, self.elasticity) <= 0:
            raise ValueError(f"no market with {self}; give numbers above 0")

    @property
    def choke_price(self) -> float:
        """US dollars per million at which nobody buys: p₀ (1 + 1/ε)."""
        return self.price * (1 + 1 / self.elasticity)

    def demanded(self, price: float) -> float:
        """Million queries a month at a price."""
        return max(0.0, self.volume * (1 - self.elasticity * (price - self.price) / self.price))


@dataclass(frozen=True)
class Optimum:
    """What earns most."""

    price: float
    """US dollars per million queries."""
    volume: float
    """Million queries a month."""
    profit: float
    """US dollars a month."""


def best_price(
    market: Market, marginal_cost: float, fixed_cost: float = 0.0, capacity: float = float("inf")
) -> Optimum:
    """Where marginal revenue meets marginal cost (Cournot, 1838), or the capacity, if that comes first.

    ``marginal_cost`` in US dollars per million queries, ``fixed_cost`` in US dollars a month,
    ``capacity`` in million queries a month. For linear demand with choke price c, p(Q) = c − s Q and
    marginal revenue c − 2 s Q, so Q* = (c − marginal_cost) / 2 s and p* = (c + marginal_cost) / 2; a
    capacity below Q* is sold out at p(capacity). Nothing is sold where the cost is above c.
    """
    slope = market.choke_price / market.demanded(0.0)
    volume = max(0.0, min((market.choke_price - marginal_cost) / (2 * slope), capacity))
    price = market.choke_price - slope * volume
    return Optimum(price, volume, (price - marginal_cost) * volume - fixed_cost)


def sensitivity(
    market: Market,
    marginal_cost: float,
    fixed_cost: float = 0.0,
    shares: tuple[float, ...] = (0.5, 0.8, 1.0, 1.25, 2.0),
) -> list[tuple[float, float, Optimum]]:
    """The optimum where cost or elasticity are other than thought.

    Rows of (factor on marginal cost, factor on elasticity, optimum): each varied alone.
    """
    rows = [(share, 1.0) for share in shares] + [(1.0, share) for share in shares if share != 1.0]
    return [
        (
            cost,
            bend,
            best_price(
                Market(market.price, market.volume, market.elasticity * bend),
                marginal_cost * cost,
                fixed_cost,
            ),
        )
        for cost, bend in rows
    ]
