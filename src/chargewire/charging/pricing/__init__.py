"""What a session costs, by the tariff elements of OCPI (mod_tariffs of 2.1.1, and what 2.2.1 and 2.3.0 add)."""

from chargewire.charging.pricing.checking import check_tariff
from chargewire.charging.pricing.explain import Explained, explained
from chargewire.charging.pricing.price import Reservation, price

__all__ = ["Explained", "Reservation", "check_tariff", "explained", "price"]
