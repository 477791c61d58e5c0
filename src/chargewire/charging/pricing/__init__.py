"""What a session costs, by the tariff elements of OCPI 2.1.1 (mod_tariffs)."""

from chargewire.charging.pricing.price import price
from chargewire.charging.pricing.rules import check_tariff

__all__ = ["check_tariff", "price"]
