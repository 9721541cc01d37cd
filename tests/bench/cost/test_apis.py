"""What services ask, against bills computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.cost.apis import Api, Volume
from strop.bench.cost.choices import break_even_rate, dollars_over
from strop.bench.cost.price_book import read_price_book
from strop.cost import dollars_per_million

APIS = read_price_book().apis
volumes = st.builds(
    Volume,
    lengths=st.dictionaries(st.integers(0, 5000), st.integers(1, 9), min_size=1, max_size=20),
    tokens=st.floats(1, 2000),
    per_month=st.floats(1, 1e9),
)


def test_characters_come_in_units_and_tiers() -> None:
    google, comprehend = APIS["google-natural-language"], APIS["aws-comprehend"]
    # Two texts of one and two units: 1.5 on average; 10,000 texts are 15,000 units, 5,000 of them free.
    volume = Volume({10: 1, 1001: 1}, 1, 10_000)
    assert google.units(volume) == 1.5
    assert google.dollars_per_million(volume) == pytest.approx(1e6 * 10_000 * 0.001 / 10_000)
    # At least three units of 100 characters.
    assert comprehend.dollars_per_million(Volume({10: 1}, 1, 1)) == pytest.approx(300)
    assert comprehend.dollars_per_million(Volume({301: 1}, 1, 1)) == pytest.approx(400)


def test_a_language_model_is_paid_for_its_prompt_and_its_answer() -> None:
    # 40 tokens and 60 of prompt at 0.05 $/M, 5 of answer at 0.40 $/M: 5 + 2 millionths of a dollar a text.
    assert APIS["gpt-5-nano"].dollars_per_million(Volume({160: 1}, 40, 1e6)) == pytest.approx(7.0)


@given(st.sampled_from(sorted(APIS)), volumes, st.floats(1.5, 10))
def test_more_tokens_never_cost_less_and_more_texts_never_more_apiece(
    name: str, volume: Volume, factor: float
) -> None:
    api: Api = APIS[name]
    cost = api.dollars_per_million(volume)
    longer = Volume(volume.lengths, volume.tokens * factor, volume.per_month)
    assert api.dollars_per_million(longer) >= cost
    free = api.tiers[0][1] == 0
    more = Volume(volume.lengths, volume.tokens, volume.per_month * factor)
    if not free:
        assert api.dollars_per_million(more) <= cost * (1 + 1e-9)


@given(st.floats(0.001, 100), st.floats(0.001, 1e4))
def test_at_the_break_even_rate_both_cost_the_same(hourly: float, rival: float) -> None:
    rate = break_even_rate(hourly, rival)
    assert dollars_per_million(hourly, rate, 1.0) == pytest.approx(rival)
    assert break_even_rate(hourly, 0.0) == math.inf


def test_years_of_an_hourly_price() -> None:
    assert dollars_over(0.1, 24, 3) == pytest.approx(0.1 * 8760 * 3)
    assert dollars_over(0.1, 48, 1) == pytest.approx(0.2 * 8760)
