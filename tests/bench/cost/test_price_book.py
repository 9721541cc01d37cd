"""The price book."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from strop.bench.config import BenchConfig
from strop.bench.cost.price_book import doubt, pick, read_price_book
from strop.errors import InputError

RENTED = """
[[machine]]
name = "{name}"
title = "A machine"
hardware = "2 cores"
dollars_per_hour = 0.5
source = "an invoice"
"""


def test_every_built_in_machine_has_a_price_a_source_and_hardware() -> None:
    for machine in read_price_book().machines.values():
        assert machine.hourly() > 0
        assert machine.source
        assert machine.hardware


def test_the_default_machines_are_in_the_book() -> None:
    pick(read_price_book().machines, BenchConfig("x:1", texts=Path("x")).machines)


def test_a_users_price_wins_over_the_built_in_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(RENTED.format(name="hf-l4"), encoding="utf-8")
    assert read_price_book(file).machines["hf-l4"].hourly() == 0.5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "nothing but"),
        ("machine = 3", "nothing but"),
        ("[[machine", "can't be read"),
        (RENTED.format(name="a") + "years = 3", "either dollars_per_hour or all of"),
        (RENTED.format(name="a").replace("dollars_per_hour = 0.5", ""), "either dollars_per_hour"),
        (RENTED.format(name="a") + "wats = 3", "unknown key 'wats'"),
        (RENTED.format(name="a").replace("source", "seen"), "source"),
        (RENTED.format(name="a").replace("0.5", '"a"'), "could not convert"),
    ],
)
def test_a_price_file_that_makes_no_sense_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=complaint) as raised:
        read_price_book(file)
    assert str(file) in str(raised.value)


def test_an_unknown_machine_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean aws-g6\.xlarge\?"):
        pick(read_price_book().machines, ["aws-g6xlarge"])


def test_a_price_is_doubted_when_it_is_old_or_undated() -> None:
    machine = replace(read_price_book().machines["hf-l4"], seen=date(2026, 1, 1))
    assert doubt(machine, date(2026, 6, 30)) is None
    assert "181 days old" in str(doubt(machine, date(2026, 7, 1)))
    assert "undated" in str(doubt(replace(machine, seen=None), date(2026, 6, 30)))
