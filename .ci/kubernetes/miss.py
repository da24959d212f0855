"""What is not as it has to be."""


class Miss(Exception):
    """Says what failed and why."""
