"""What the objects of OCPI 2.1.1 are made of (types, mod_locations): texts, points, images, hours, where energy comes from."""

from collections.abc import Iterable
from typing import Annotated, Any, get_args

from msgspec import Meta, Struct

from chargewire.charging import location as domain
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.texts import clipped, degrees, filled, language, time_of_day, website


class DisplayText(Struct, frozen=True):
    language: words.Language
    text: words.Text512


class GeoLocation(Struct, frozen=True):
    latitude: words.Latitude
    longitude: words.Longitude


class AdditionalGeoLocation(Struct, frozen=True, omit_defaults=True):
    latitude: words.Latitude
    longitude: words.Longitude
    name: DisplayText | None = None


class Image(Struct, frozen=True, omit_defaults=True):
    url: words.Url
    category: words.ImageCategory
    type: words.Text4
    thumbnail: words.Url | None = None
    width: Annotated[int, Meta(ge=0, le=99999)] | None = None
    height: Annotated[int, Meta(ge=0, le=99999)] | None = None


class BusinessDetails(Struct, frozen=True, omit_defaults=True):
    name: words.Text100
    website: words.Url | None = None
    logo: Image | None = None


class RegularHours(Struct, frozen=True):
    weekday: words.Weekday
    period_begin: words.TimeOfDay
    period_end: words.TimeOfDay


class ExceptionalPeriod(Struct, frozen=True):
    period_begin: words.DateTime
    period_end: words.DateTime


class Hours(Struct, frozen=True, omit_defaults=True):
    twentyfourseven: bool | None = None
    regular_hours: tuple[RegularHours, ...] = ()
    exceptional_openings: tuple[ExceptionalPeriod, ...] = ()
    exceptional_closings: tuple[ExceptionalPeriod, ...] = ()


class EnergySource(Struct, frozen=True):
    source: words.EnergySourceCategory
    percentage: float


class EnvironmentalImpact(Struct, frozen=True):
    source: words.EnvironmentalImpactCategory
    amount: float  # g/kWh


class EnergyMix(Struct, frozen=True, omit_defaults=True):
    is_green_energy: bool
    energy_sources: tuple[EnergySource, ...] = ()
    environ_impact: tuple[EnvironmentalImpact, ...] = ()
    supplier_name: words.Text64 | None = None
    energy_product_name: words.Text64 | None = None


def business(given: domain.BusinessDetails | None) -> BusinessDetails | None:
    """Who somebody is."""
    if given is None:
        return None
    logo = images((given.logo,)) if given.logo else ()
    return BusinessDetails(name=filled(given.name, 100), website=website(given.website), logo=logo[0] if logo else None)


def energy_mix(given: domain.EnergyMix | None) -> EnergyMix | None:
    """Where the energy comes from; sources that 2.1.1 does not know are left out."""
    if given is None:
        return None
    sources, impacts = get_args(words.EnergySourceCategory), get_args(words.EnvironmentalImpactCategory)
    return EnergyMix(
        is_green_energy=given.is_green_energy,
        energy_sources=tuple(
            EnergySource(each.source, round(each.percentage, 4))  # type: ignore[arg-type]
            for each in given.energy_sources
            if each.source in sources
        ),
        environ_impact=tuple(
            EnvironmentalImpact(each.source, round(each.amount, 4))  # type: ignore[arg-type]
            for each in given.environ_impact
            if each.source in impacts
        ),
        supplier_name=clipped(given.supplier_name, 64),
        energy_product_name=clipped(given.energy_product_name, 64),
    )


def known(given: Iterable[str], vocabulary: object) -> tuple[Any, ...]:
    """The words that 2.1.1 has, too."""
    return tuple(each for each in given if each in get_args(vocabulary))


def point(given: domain.GeoLocation) -> GeoLocation:
    """A point with six decimals."""
    return GeoLocation(degrees(given.latitude), degrees(given.longitude))


def further_point(given: domain.AdditionalGeoLocation) -> AdditionalGeoLocation:
    """A point that leads to the place, with its name."""
    name = next(iter(display_texts((given.name,))), None) if given.name else None
    return AdditionalGeoLocation(degrees(given.latitude), degrees(given.longitude), name)


def display_texts(given: Iterable[domain.DisplayText]) -> tuple[DisplayText, ...]:
    """Texts of which 2.1.1 can say the language."""
    return tuple(DisplayText(code, filled(each.text, 512)) for each in given if (code := language(each.language)) is not None)


def images(given: Iterable[domain.Image]) -> tuple[Image, ...]:
    """Images with a category and an address that 2.1.1 can say."""
    return tuple(
        Image(
            url=each.url,
            category=each.category,  # type: ignore[arg-type]
            type=each.type[:4],
            thumbnail=website(each.thumbnail),
            width=each.width if each.width is None or 0 <= each.width <= 99999 else None,
            height=each.height if each.height is None or 0 <= each.height <= 99999 else None,
        )
        for each in given
        if each.category in get_args(words.ImageCategory) and website(each.url)
    )


def opening_times(given: domain.Hours) -> Hours | None:
    """Opening times; a 24/7 place has no regular list (2.1.1 mod_locations, Hours). None if nothing is said."""
    regular = () if given.twentyfourseven else given.regular_hours
    hours = Hours(
        twentyfourseven=given.twentyfourseven or None,
        regular_hours=tuple(row for each in regular if (row := _regular(each)) is not None),
        exceptional_openings=_exceptions(given.exceptional_openings),
        exceptional_closings=_exceptions(given.exceptional_closings),
    )
    return None if hours == Hours() else hours


def _regular(given: domain.RegularHours) -> RegularHours | None:
    """Hours of a weekday. A period ends later than it begins and at 23:59 at the latest; None for what is no time."""
    begin = time_of_day(given.period_begin)
    end = "23:59" if given.period_end in ("24:00", "00:00") else time_of_day(given.period_end)
    if begin is None or end is None or not 1 <= given.weekday <= 7:
        return None
    return RegularHours(given.weekday, begin, end)


def _exceptions(given: Iterable[domain.ExceptionalPeriod]) -> tuple[ExceptionalPeriod, ...]:
    return tuple(ExceptionalPeriod(moment(each.period_begin), moment(each.period_end)) for each in given)
