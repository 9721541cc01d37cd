"""Personal data in a text: what can be told from its form, and its checksum where it has one.

Needs ``strop[redact]``. Data are masked before they are learnt from, and texts before a server keeps them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.exceptions import ValidationError
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.se import personnummer
from stdnum.us import ssn

from .errors import InputError


class Span(NamedTuple):
    """Where personal data stands in a text, in characters."""

    start: int
    end: int
    kind: str


KINDS = ("EMAIL", "IBAN", "ID", "CARD", "PHONE")
"""What is found; where two overlap, the one named first here."""

# Only ASCII counts as a neighbour, because scripts without spaces write on directly; and a number
# is no part of a longer one, such as a version, a price or a date.
_BEFORE = r"(?<![A-Za-z0-9_])(?<![0-9][.,:/-])"
_AFTER = r"(?![A-Za-z0-9_])(?![.,:/-][0-9])"

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]*[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_IBAN = re.compile(rf"{_BEFORE}[A-Za-z]{{2}}[0-9]{{2}}(?:[ -]?[A-Za-z0-9]){{11,30}}")
_DIGITS = re.compile(rf"{_BEFORE}[0-9]+(?:[ -][0-9]+)*{_AFTER}")


def _is_resident(number: str) -> bool:
    """A birth date that there is, and the check digit; the library's list of places is not whole."""
    try:
        ric.get_birth_date(number)
    except ValidationError:
        return False
    return bool(ric.calc_check_digit(number) == number[-1].upper())


# National numbers whose form or checksum leaves few others standing, each by the library that knows
# its rules. Those of nine to eleven bare digits are not among them: one order number in fifty to
# one in ten would pass. For the same reason a German one counts only as it is grouped on paper.
_NATIONAL: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (r"[0-9]{17}[0-9Xx]", _is_resident),  # China, GB 11643
    (r"[0-9]{3}[ -][0-9]{2}[ -][0-9]{4}", ssn.is_valid),  # USA, by its published ranges
    (r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}", idnr.is_valid),  # Germany, tax
    (r"[0-9]{8}-?[A-Za-z]", dni.is_valid),  # Spain
    (r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]", nie.is_valid),  # Spain, foreigners
    (r"[12](?: ?[0-9]{2}){2} ?[0-9][0-9AB](?: ?[0-9]{3}){2} ?[0-9]{2}", nir.is_valid),  # France
    (
        r"[A-Za-z]{6}[0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{2}[A-Za-z][0-9A-Za-z]{3}[A-Za-z]",
        codicefiscale.is_valid,
    ),
    (r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", cpf.is_valid),  # Brazil
    (r"[0-9]{6}[-+][0-9]{4}", personnummer.is_valid),  # Sweden
)
_NATIONAL_FORMS = tuple((re.compile(f"{_BEFORE}{form}{_AFTER}"), valid) for form, valid in _NATIONAL)

# The leading digits that card schemes issue, and how long their numbers are (ISO/IEC 7812-1).
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2})[0-9]{12,15}"  # Discover, UnionPay
    r"|(?:50|5[678])[0-9]{14}"  # Maestro
)
# As it is embossed: by fours, or four, six and the rest, with one kind of sign between; or unbroken.
_CARD_FORM = re.compile(
    r"[0-9]+|[0-9]{4}(?P<four>[ -])[0-9]{4}(?P=four)[0-9]{4}(?P=four)[0-9]{1,4}(?:(?P=four)[0-9]{3})?"
    r"|[0-9]{4}(?P<six>[ -])[0-9]{6}(?P=six)[0-9]{4,5}"
)
CARD_GROUPS = 5


def masked(text: str, spans: Sequence[Span]) -> str:
    """A text with each span replaced by its kind, such as [EMAIL]."""
    parts, end = [], 0
    for span in spans:
        parts += [text[end : span.start], f"[{span.kind}]"]
        end = span.end
    return "".join([*parts, text[end:]])


def finder(region: str | None = None) -> Callable[[str], list[Span]]:
    """What finds the personal data of a text in order, none overlapping.

    ``region`` (ISO 3166, such as ``GB``) also finds phone numbers written without their country.
    Raises ``InputError`` for a region that there is not.
    """
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise InputError(f"--region is {region!r}; give a country's two capital letters, such as GB")
    finders = (_emails, _ibans, _national, _cards, lambda text: _phones(text, region))

    def find(text: str) -> list[Span]:
        taken: list[Span] = []
        for found in finders:
            for span in found(text):
                if all(span.end <= other.start or other.end <= span.start for other in taken):
                    taken.append(span)
        return sorted(taken)

    return find


def _emails(text: str) -> Iterator[Span]:
    return (Span(*match.span(), "EMAIL") for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[Span]:
    """By country's form and ISO 7064 mod 97; words that follow without a sign are not part of it."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            whole = end == len(text) or not (text[end].isascii() and text[end].isalnum())
            if whole and text[end - 1].isalnum() and iban.is_valid(text[match.start() : end]):
                yield Span(match.start(), end, "IBAN")
                break


def _national(text: str) -> Iterator[Span]:
    for form, valid in _NATIONAL_FORMS:
        for match in form.finditer(text):
            if valid(match.group()):
                yield Span(*match.span(), "ID")


def _cards(text: str) -> Iterator[Span]:
    """By issuer, grouping and Luhn's check digit (ISO/IEC 7812-1), whatever numbers stand beside it."""
    for match in _DIGITS.finditer(text):
        groups = [
            (match.start() + group.start(), match.start() + group.end())
            for group in re.finditer("[0-9]+", match.group())
        ]
        for first, (start, _) in enumerate(groups):
            for _, end in groups[first : first + CARD_GROUPS]:
                written = text[start:end]
                number = re.sub("[ -]", "", written)
                if _CARD_FORM.fullmatch(written) and _ISSUERS.fullmatch(number) and luhn.is_valid(number):
                    yield Span(start, end, "CARD")


def _phones(text: str, region: str | None) -> Iterator[Span]:
    """By the numbering plan of its country, grouped as people there group it.

    A bare row of digits is one only where it can be nothing but a mobile number of the region.
    """
    matcher = phonenumbers.PhoneNumberMatcher(
        text, region, leniency=phonenumbers.Leniency.STRICT_GROUPING, max_tries=len(text) + 1
    )
    for match in matcher:
        bare = match.raw_string.isdigit()
        if not bare or phonenumbers.number_type(match.number) == phonenumbers.PhoneNumberType.MOBILE:
            yield Span(match.start, match.end, "PHONE")
