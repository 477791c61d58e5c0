"""The smallest unit that a currency has (ISO 4217), and rounding to it: the one place where money is rounded."""

from decimal import ROUND_HALF_UP, Decimal

NONE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF")
THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
FOUR = ("CLF", "UYW")
UNITS = {name: Decimal(1) for name in NONE}
UNITS |= {name: Decimal("0.001") for name in THREE}
UNITS |= {name: Decimal("0.0001") for name in FOUR}
CENT = Decimal("0.01")
GRAIN = Decimal("0.000001")  # cuts between µWh and µs leave less than this; it must not decide over half a cent


def smallest_unit(currency: str) -> Decimal:
    """What amounts of a currency are multiples of; two decimals for one that ISO 4217 does not list otherwise."""
    return UNITS.get(currency, CENT)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount to the currency's smallest unit, half up (away from zero); what is nothing has no sign."""
    return amount.quantize(GRAIN, ROUND_HALF_UP).quantize(smallest_unit(currency), ROUND_HALF_UP) + 0
