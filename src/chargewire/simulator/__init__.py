"""Virtual stations: they know what a real one knows, the protocol, and have a car with a battery behind each plug."""
