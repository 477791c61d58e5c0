"""OCPI 2.2.1 and 2.3.0, so far as a tariff goes."""
